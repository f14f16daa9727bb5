"""The network, its hand-written step, and the field it becomes."""

import pytest
import torch
from torch.nn import functional

from fmstudio import device
from fmstudio.flow.bounds import Box
from fmstudio.flow.paths.affine import Linear
from fmstudio.flow.paths.latent import Latent
from fmstudio.flow.paths.turning import Bow
from fmstudio.flow.regress.objectives import EPS, SCORE, TARGETS, V
from fmstudio.learn.nets.net_field import CHUNK_ON_CPU, NetField
from fmstudio.learn.nets.networks import Network, Shape, views
from fmstudio.learn.training.step import BETA1, BETA2, EPSILON, WEIGHT_DECAY, AdamMoments, Steps
from tests.flow.every import every_path

SHAPES = [Shape(2, 24, 3, 5), Shape(2, 16, 1, 0), Shape(1, 24, 2, 5), Shape(2, 24, 2, 5, classes=3)]


def network(shape: Shape, dtype: torch.dtype = torch.float64, seed: int = 0) -> Network:
    generator = torch.Generator().manual_seed(seed)
    net = Network(shape, generator, dtype)
    net.matrices[-1].copy_(torch.randn(net.matrices[-1].shape, generator=generator, dtype=dtype))
    return net


def block(shape: Shape, rows: int, dtype: torch.dtype, seed: int = 1):
    g = torch.Generator().manual_seed(seed)
    x, y = (torch.randn(rows, shape.dim, generator=g, dtype=dtype) for _ in range(2))
    t = torch.rand(rows, generator=g, dtype=dtype)
    label = torch.randint(0, shape.classes + 1, (rows,), generator=g) if shape.classes else None
    return x, t, y, label


def autograd(net: Network, x, t, y, label):
    loss = (net(x, t, label) - y).square().sum(1).mean()
    grads = torch.autograd.grad(loss, list(net.layers.parameters()))
    return loss.detach(), [
        torch.cat([w, b[:, None]], 1) for w, b in zip(grads[::2], grads[1::2], strict=True)
    ]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-6)])
def test_gradient_equals_autograd(shape: Shape, dtype: torch.dtype, tolerance: float) -> None:
    net = network(shape, dtype)
    steps = Steps(net, batch=33, block=3, moments=AdamMoments.start(net.flat))
    x, t, y, label = block(shape, 99, dtype)
    steps.load(x, t, y, label)
    for k in range(3):
        steps.differentiate(k)
        rows = slice(33 * k, 33 * (k + 1))
        loss, expected = autograd(net, x[rows], t[rows], y[rows], None if label is None else label[rows])
        scale = max(float(g.abs().max()) for g in expected)
        assert abs(float(steps.losses[k] - loss)) <= tolerance * float(loss)
        for ours, theirs in zip(views(steps.gradient, shape), expected, strict=True):
            assert float((ours - theirs).abs().max()) <= tolerance * scale


def test_steps_equal_torch_adamw_and_running_mean() -> None:
    shape, rates, pulls = SHAPES[3], [0.01, 0.02, 0.005], [0.5, 0.2, 0.1]
    net = network(shape)
    reference = net.with_weights(net.flat)
    optimizer = torch.optim.AdamW(
        reference.layers.parameters(), betas=(BETA1, BETA2), eps=EPSILON, weight_decay=WEIGHT_DECAY
    )
    moments = AdamMoments.start(net.flat)
    steps = Steps(net, batch=20, block=3, moments=moments)
    x, t, y, label = block(shape, 60, torch.float64)
    steps.load(x, t, y, label)
    steps.run(rates, pulls)
    mean = reference.flat.clone()
    for k in range(3):
        rows = slice(20 * k, 20 * (k + 1))
        loss = (reference(x[rows], t[rows], label[rows]) - y[rows]).square().sum(1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.param_groups[0]["lr"] = rates[k]
        optimizer.step()
        mean.lerp_(reference.flat, pulls[k])
    assert torch.allclose(net.flat, reference.flat, rtol=0, atol=1e-12)
    assert torch.allclose(moments.mean, mean, rtol=0, atol=1e-12)


def test_parameters_are_views_of_the_flat_vector() -> None:
    net = network(SHAPES[0], torch.float32)
    assert sum(p.numel() for p in net.parameters()) == net.shape.weights == net.flat.numel()
    net.flat.fill_(0.25)
    assert all((p == 0.25).all() for p in net.parameters())
    wide = network(SHAPES[0], torch.float32).to(torch.float64)
    wide.flat.zero_()
    assert all(p.dtype == torch.float64 and (p == 0).all() for p in wide.parameters())


def test_state_dict_restores_the_function() -> None:
    net, other = network(SHAPES[3]), network(SHAPES[3], seed=5)
    x, t, _, label = block(net.shape, 7, torch.float64)
    other.load_state_dict(net.state_dict())
    assert torch.equal(net(x, t, label), other(x, t, label))


def test_shape_names_the_field_and_the_bound() -> None:
    with pytest.raises(ValueError, match="width: expected at least 1; got 0"):
        Shape(width=0)


@pytest.mark.parametrize("shape", SHAPES)
def test_field_equals_the_module(shape: Shape) -> None:
    net = network(shape)
    field = NetField(net, Linear(), V)
    x, t, _, label = block(shape, 2 * CHUNK_ON_CPU + 3, torch.float64)
    with torch.no_grad():
        assert torch.allclose(field(x, t), net(x, t), atol=1e-12)
        assert torch.allclose(field(x, t[0]), net(x, t[0]), atol=1e-12)
        if shape.classes:
            assert torch.allclose(field.given(1)(x, t[0]), net(x, t[0], 1), atol=1e-12)
            assert torch.allclose(field.given(label)(x, t[0]), net(x, t[0], label), atol=1e-12)
            assert torch.allclose(field.given(label)(x, t), net(x, t, label), atol=1e-12)


def test_coarse_products_are_near_and_only_where_asked() -> None:
    net = network(Shape(2, 64, 3, 8), torch.float32)
    x, t = torch.randn(500, 2, generator=torch.Generator().manual_seed(6)), torch.tensor(0.4)
    fine = NetField(net, Linear(), V)
    coarse = NetField(net, Linear(), V, products=torch.bfloat16)
    error = (coarse(x, t) - fine(x, t)).norm() / fine(x, t).norm()
    assert 1e-4 < float(error) < 2e-2
    assert coarse(x, t).dtype == torch.float32
    assert torch.equal(coarse.divergence(x, t), fine.divergence(x, t))
    with pytest.raises(ValueError, match="float32 or bfloat16"):
        NetField(net, Linear(), V, products=torch.float16)


def test_answers_take_one_core_and_leave_the_others(monkeypatch) -> None:
    before, silu, seen = torch.get_num_threads(), functional.silu, []
    monkeypatch.setattr(device, "CORES", 2)
    monkeypatch.setattr(
        functional, "silu", lambda h, **k: (seen.append(torch.get_num_threads()), silu(h, **k))[1]
    )
    field, x, t = NetField(network(SHAPES[0]), Linear(), V), torch.zeros(5, SHAPES[0].dim), torch.tensor(0.4)
    torch.set_num_threads(2)
    try:
        for ask in (field, field.predict, field.velocity_and_divergence):
            seen.clear()
            ask(x, t)
            assert set(seen) == {1}
            assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_field_refuses_classes_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="without classes"):
        NetField(network(SHAPES[0]), Linear(), V).given(0)
    with pytest.raises(ValueError, match=r"class in \[0, 2\]; got 7"):
        NetField(network(SHAPES[3]), Linear(), V).given(7)


PATHS = [*every_path(), Latent(Linear(), 0.5), Bow(0.7)]


@pytest.mark.parametrize("box", [None, Box(-torch.ones(2), torch.ones(2))], ids=["free", "held"])
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))
def test_divergence_equals_autograd(path, target, box) -> None:
    net = network(SHAPES[0])
    field = NetField(net, path, target, box)
    x = torch.randn(6, 2, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    for t in (torch.tensor(0.4, dtype=torch.float64), torch.linspace(0.2, 0.8, 6, dtype=torch.float64)):
        u, divergence = field.velocity_and_divergence(x, t)
        assert torch.allclose(u, field(x, t), atol=1e-10)
        y = x.clone().requires_grad_()
        v = field(y, t)
        exact = sum(torch.autograd.grad(v[:, i].sum(), y, retain_graph=True)[0][:, i] for i in range(2))
        assert torch.allclose(divergence, exact, atol=1e-9)
        moved = not torch.allclose(u, NetField(net, path, target)(x, t), atol=1e-10)
        assert moved == (box is not None and target is not V)


# torch.func.jvp itself, on its first use.
@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:DeprecationWarning")
def test_field_passes_forward_mode_derivatives() -> None:
    field = NetField(network(SHAPES[0]), Linear(), V)
    x, direction = torch.randn(2, 5, 2, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    t = torch.tensor(0.3, dtype=torch.float64)
    _, along = torch.func.jvp(lambda y: field(y, t), (x,), (direction,))
    y = x.clone().requires_grad_()
    jacobian = torch.stack([torch.autograd.grad(field(y, t)[:, i].sum(), y)[0] for i in range(2)], 1)
    assert torch.allclose(along, torch.einsum("nij,nj->ni", jacobian, direction), atol=1e-12)


@pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))
@pytest.mark.parametrize("path", PATHS)
def test_field_is_finite_at_both_ends(path, target) -> None:
    field = NetField(network(SHAPES[0], torch.float32), path, target)
    x = torch.randn(4, 2, generator=torch.Generator().manual_seed(4))
    for t in (0.0, 1.0):
        assert field(x, torch.tensor(t)).isfinite().all()


def test_classes_enter_by_an_embedding_of_the_first_layer() -> None:
    net = network(SHAPES[3])
    x, t, _, _ = block(net.shape, 5, torch.float64)
    phi = net.features(x, t, 2)
    first = net.matrices[0]
    embedding = first[:, -1 - 4 : -1]
    plain = functional.linear(phi[:, :-4], first[:, : -1 - 4])
    assert torch.allclose(functional.linear(phi, first[:, :-1]), plain + embedding[:, 2], atol=1e-12)


@pytest.mark.parametrize("target", [EPS, SCORE], ids=["eps", "score"])
def test_singular_targets_stay_inside_their_times(target) -> None:
    low, high = target.times(Linear())
    assert 0 <= low < high < 1


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("target", ["v", "x0"])
def test_a_net_on_a_gpu_answers_where_the_points_are(target) -> None:
    net = network(Shape(2, 16, 2, 4), torch.float32)
    twin = net.with_weights(net.flat).to("cuda")
    here, there = (NetField(n, Linear(), TARGETS[target]) for n in (net, twin))
    x = torch.randn(7, 2, generator=torch.Generator().manual_seed(2))
    for t in (torch.tensor(0.5), torch.linspace(0.1, 0.9, 7)):
        torch.testing.assert_close(there(x, t), here(x, t), atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(there.divergence(x, t), here.divergence(x, t), atol=1e-3, rtol=1e-3)
    assert there(x.cuda(), torch.tensor(0.5)).is_cuda
