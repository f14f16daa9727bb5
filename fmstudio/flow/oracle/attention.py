"""Softmax attention with its normaliser: a posterior over many data points in O(N + n) memory.

With queries q and keys φ_i the attention

    lse(q) = log Σ_i exp(q · φ_i),        mean(q) = Σ_i softmax_i(q · φ_i) φ_i

gives the posterior moments of the data, because log w_i is quadratic in x₀⁽ⁱ⁾, so linear in the features
φ(x₀) = (x₀, the entries of x₀ x₀ᵀ on and above the diagonal); their mean is the first two moments.
"""

from __future__ import annotations

import torch
from torch import Tensor

#: The fused kernel is several times faster when the last dimension is a multiple of this.
LANES = 16
#: Scores held at once by :func:`attend_in_chunks`: what stays in a processor's cache, and on a GPU enough to
#: keep it busy (a gigabyte in float64).
CHUNK, CHUNK_ON_GPU = 1 << 22, 1 << 27


def features(x: Tensor) -> Tensor:
    """φ(x) = (x, x_i x_j for i ≤ j), padded with zeros to a multiple of ``LANES``.

    Args:
        x: shape (N, d).

    Returns:
        Shape (N, F).
    """
    i, j = torch.triu_indices(x.shape[1], x.shape[1])
    phi = torch.cat([x, x[:, i] * x[:, j]], 1)
    return torch.nn.functional.pad(phi, (0, -phi.shape[1] % LANES))


def query(linear: Tensor, quadratic: Tensor, width: int) -> Tensor:
    """The queries q with q · φ(x) = l · x + xᵀ S x.

    Args:
        linear: l, shape (K, d, n).
        quadratic: S, symmetric, shape (K, d, d, n or 1).
        width: F, the number of features.

    Returns:
        Shape (K, n, F).
    """
    dim = linear.shape[1]
    i, j = torch.triu_indices(dim, dim)
    q = linear.new_zeros(len(linear), width, linear.shape[2])
    q[:, :dim] = linear
    q[:, dim : dim + len(i)] = quadratic[:, i, j] * torch.where(i == j, 1.0, 2.0).to(quadratic)[:, None]
    return q.transpose(1, 2)


def moments_of(mean: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """E[x] and Cov[x] from the mean of the features (K, n, F): shapes (K, d, n) and (K, d, d, n)."""
    i, j = torch.triu_indices(dim, dim)
    columns = mean.transpose(1, 2)
    first = columns[:, :dim].contiguous()
    second = first.new_empty(len(mean), dim, dim, mean.shape[1])
    second[:, i, j] = columns[:, dim : dim + len(i)]
    second[:, j, i] = columns[:, dim : dim + len(i)]
    return first, second - first[:, :, None] * first[:, None]


def attend(queries: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
    """Attention of queries on keys that are their own values.

    Args:
        queries: shape (K, n, F), F a multiple of ``LANES``.
        keys: shape (N, F), of the same dtype (float32 or float64) and device.

    Returns:
        The log of the normaliser, (K, n), and the mean key, (K, n, F).
    """
    if queries.is_cuda and queries.dtype == torch.float32 and queries.shape[1]:
        return _attend_fused_on_cuda(queries, keys)
    if queries.device.type != "cpu" or queries.shape[1] == 0:
        return attend_in_chunks(queries, keys)
    # The public scaled_dot_product_attention calls this kernel too, but drops the normaliser.
    fused = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    k = keys.expand(1, len(queries), *keys.shape)
    mean, lse = fused(queries[None].contiguous(), k, k, 0.0, False, scale=1.0)
    return lse[0].to(queries.dtype), mean[0]


def _attend_fused_on_cuda(queries: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
    """The same by CUDA's memory-efficient kernel, which has no float64; one component at a time."""
    fused = torch.ops.aten._scaled_dot_product_efficient_attention
    k = keys[None, None]
    found = [fused(q[None, None].contiguous(), k, k, None, True, 0.0, False, scale=1.0)[:2] for q in queries]
    # The kernel pads its rows of normalisers.
    lse = torch.stack([lse[0, 0, : queries.shape[1]] for _, lse in found])
    return lse.to(queries.dtype), torch.stack([mean[0, 0] for mean, _ in found])


def attend_in_chunks(queries: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
    """The same by matrix products, a block of queries at a time; any device."""
    lse, mean = queries.new_empty(queries.shape[:2]), torch.empty_like(queries)
    scores = CHUNK if queries.device.type == "cpu" else CHUNK_ON_GPU
    rows = max(1, scores // (len(keys) * max(1, len(queries))))
    for start in range(0, queries.shape[1], rows):
        part = slice(start, start + rows)
        score = queries[:, part] @ keys.T
        top = score.amax(-1, keepdim=True)
        weight = score.sub_(top).exp_()
        total = weight.sum(-1, keepdim=True)
        lse[:, part] = (top + total.log()).squeeze(-1)
        mean[:, part] = weight @ keys / total
    return lse, mean
