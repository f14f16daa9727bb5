"""Plans for every card on many machines: what fits is the fastest way, and what is said is what is done."""

from dataclasses import replace

import pytest

from fmstudio.image.hub.cards import CARDS, card
from fmstudio.image.hub.find import networks_of_card
from fmstudio.image.hub.machine import GIB, Accelerator, Machine
from fmstudio.image.hub.plan import (
    USABLE,
    Networks,
    Placement,
    activation_bytes,
    choose_plan,
    next_smaller,
    wider,
)


def gpu(gib: float, index: int = 0, kind: str = "cuda", bf16: bool = True) -> Accelerator:
    return Accelerator(kind, index, f"GPU {index}", int(gib * GIB), int(gib * GIB), bf16)


def machine(*accelerators: Accelerator, ram: float = 64, cpu_bf16: bool = False, quantiser: bool = False):
    return Machine(int(ram * GIB), int(ram * GIB), 500 * GIB, accelerators, cpu_bf16, quantiser)


MACHINES = {
    "laptop": machine(ram=14),
    "server without a GPU": machine(ram=128, cpu_bf16=True),
    "nothing left": machine(ram=0.5),
    "6 GB": machine(gpu(5.5), ram=16),
    "12 GB": machine(gpu(11.5), ram=32),
    "12 GB with bitsandbytes": machine(gpu(11.5), ram=32, quantiser=True),
    "old 16 GB": machine(gpu(15.5, bf16=False), ram=32),
    "24 GB": machine(gpu(23.5), ram=64),
    "2 × 24 GB": machine(gpu(23.5), gpu(23.5, 1), ram=64),
    "80 GB": machine(gpu(79), ram=128),
    "apple": machine(gpu(48, kind="mps"), ram=64),
}
FLUX = networks_of_card(card("black-forest-labs/FLUX.1-schnell"))
SD3 = networks_of_card(card("stabilityai/stable-diffusion-3-medium-diffusers"))


@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.parametrize("model", CARDS, ids=lambda model: model.title)
def test_a_plan_claims_no_more_than_there_is(model, name) -> None:
    here = MACHINES[name]
    choice = choose_plan(networks_of_card(model), here, model.side)
    assert choice.ways
    assert choice.plan == next((way for way in choice.ways if way.shortfall == 0), None)
    for way in choice.ways:
        frees = [device.free for device in here.accelerators]
        roomy = way.accelerator_bytes <= USABLE * max(frees, default=0) + 1
        if way.placement is Placement.BALANCED:
            continue  # its fullest device need not be the largest one
        assert way.fits == (roomy and way.ram_bytes <= USABLE * here.ram_free + 1)
    assert len({way.title for way in choice.ways}) == len(choice.ways)
    assert choice.verdict.endswith(".")
    if choice.plan is None:
        assert "Does not fit" in choice.verdict


@pytest.mark.parametrize("model", CARDS, ids=lambda model: model.title)
def test_more_memory_never_makes_a_plan_slower(model) -> None:
    order = list(Placement)
    last = (True, True, len(order))
    for gib in (2, 4, 6, 8, 12, 16, 24, 40, 80):
        plan = choose_plan(networks_of_card(model), machine(gpu(gib), ram=256), model.side).plan
        assert plan is not None
        rank = (plan.device == "cpu", bool(plan.dropped), order.index(plan.placement))
        assert rank <= last
        last = rank


@pytest.mark.parametrize(
    ("gib", "placement"),
    [
        (80, Placement.RESIDENT),
        (30, Placement.MODEL_OFFLOAD),
        (12, Placement.GROUP_OFFLOAD),
        (1.5, Placement.PROCESSOR),
    ],
)
def test_flux_goes_from_resident_to_the_processor_as_memory_shrinks(gib, placement) -> None:
    plan = choose_plan(FLUX, machine(gpu(gib), ram=128)).plan
    assert plan is not None
    assert plan.placement is placement
    assert plan.device == ("cpu" if placement is Placement.PROCESSOR else "cuda:0")


def test_two_cards_hold_what_one_cannot() -> None:
    one, two = machine(gpu(26.5), ram=128), machine(gpu(26.5), gpu(26.5, 1), ram=128)
    assert choose_plan(FLUX, one).plan.placement is Placement.MODEL_OFFLOAD
    plan = choose_plan(FLUX, two).plan
    assert plan.placement is Placement.BALANCED
    assert plan.accelerator_bytes <= USABLE * 26.5 * GIB
    assert "2 accelerators" in plan.reasons[0]


def test_two_cards_do_not_split_one_network() -> None:
    # 23.8 GB of transformer: more than either card holds, less than both together
    plan = choose_plan(FLUX, machine(gpu(18), gpu(18, 1), ram=128)).plan
    assert plan.placement is Placement.GROUP_OFFLOAD


def test_quantisation_needs_bitsandbytes_and_cuda() -> None:
    with_it = choose_plan(FLUX, machine(gpu(23.5), ram=128, quantiser=True)).plan
    assert (with_it.placement, with_it.quantised) == (Placement.RESIDENT, "8 bits")
    assert "quality" in with_it.reasons[0]
    small = choose_plan(FLUX, machine(gpu(15), ram=128, quantiser=True)).plan
    assert (small.placement, small.quantised) == (Placement.RESIDENT, "4 bits")
    for other in (machine(gpu(15), ram=128), machine(gpu(15, kind="xpu"), ram=128, quantiser=True)):
        assert choose_plan(FLUX, other).plan.quantised == ""


def test_sd3_drops_its_t5_only_where_nothing_else_fits() -> None:
    here = machine(gpu(7), ram=10)
    plan = choose_plan(SD3, here).plan
    assert plan.dropped == ("text_encoder_3",)
    assert choose_plan(SD3, machine(gpu(7), ram=64)).plan.dropped == ()
    assert choose_plan(replace(SD3, optional=()), here).plan is None


def test_number_formats_follow_the_device_and_the_model() -> None:
    new, old = gpu(79), gpu(79, bf16=False)
    assert choose_plan(FLUX, machine(new)).plan.dtype == "bfloat16"
    assert choose_plan(SD3, machine(old)).plan.dtype == "float16"
    assert choose_plan(FLUX, machine(old)).plan.dtype == "float32"  # not published for float16
    only_fp16 = networks_of_card(card("XCLiu/instaflow_0_9B_from_sd_1_5"))
    assert choose_plan(only_fp16, machine(new)).plan.dtype == "float16"
    assert choose_plan(SD3, machine(ram=64, cpu_bf16=True)).plan.dtype == "bfloat16"
    assert choose_plan(SD3, machine(ram=64)).plan.dtype == "float32"


def test_after_an_overflow_in_float16_a_format_of_longer_range_is_named() -> None:
    choice = choose_plan(SD3, machine(gpu(24, bf16=False)))
    assert choice.plan.dtype == "float16"
    assert wider(choice.plan, choice).title == "processor on cpu, float32"
    assert wider(choice.plan, choose_plan(SD3, machine(gpu(24, bf16=False), ram=4))) is None
    roomy = choose_plan(SD3, machine(gpu(24)))
    assert roomy.plan.dtype == "bfloat16"
    assert wider(roomy.plan, roomy) is None


def test_apples_shared_memory_is_not_offloaded_to_itself() -> None:
    choice = choose_plan(FLUX, machine(gpu(20, kind="mps"), ram=32))
    assert {way.placement for way in choice.ways} == {Placement.RESIDENT, Placement.PROCESSOR}
    assert choice.plan is None


def test_offload_needs_main_memory_for_all_weights() -> None:
    assert choose_plan(FLUX, machine(gpu(30), ram=20)).plan is None
    assert choose_plan(FLUX, machine(gpu(30), ram=64)).plan.placement is Placement.MODEL_OFFLOAD


def test_tiles_are_used_only_where_they_make_the_difference() -> None:
    total = sum(count for _, count in FLUX.parts) * 2
    tight = (total + activation_bytes(1024, 1, tiling=True) + 10**8) / USABLE / GIB
    loose = (total + activation_bytes(1024, 1, tiling=False) + 10**8) / USABLE / GIB
    assert choose_plan(FLUX, machine(gpu(tight), ram=128)).plan.tiling
    assert not choose_plan(FLUX, machine(gpu(loose), ram=128)).plan.tiling


def test_out_of_memory_offers_what_needs_less_until_nothing_is_left() -> None:
    choice = choose_plan(SD3, machine(gpu(79), ram=128, quantiser=True))
    plan, seen = choice.plan, []
    while plan is not None:
        seen.append(plan)
        smaller = next_smaller(plan, choice)
        if smaller is not None and plan.accelerator_bytes:
            assert smaller.accelerator_bytes < plan.accelerator_bytes
        plan = smaller
    assert seen[0].placement is Placement.RESIDENT
    assert len(seen) > 4
    assert seen[-1].placement is Placement.PROCESSOR
    assert next_smaller(seen[-1], choice) is None


def test_a_larger_batch_or_picture_needs_more() -> None:
    needs = [
        choose_plan(SD3, machine(gpu(79)), side, count).ways[0].accelerator_bytes
        for side, count in ((512, 1), (1024, 1), (1024, 2), (1536, 2))
    ]
    assert needs == sorted(set(needs))


def test_weights_must_be_weights() -> None:
    with pytest.raises(ValueError, match="at least one parameter"):
        Networks(())
    with pytest.raises(ValueError, match="at least one parameter"):
        Networks((("vae", 0),))
