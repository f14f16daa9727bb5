"""Exported code of the couplings: who is paired with whom within a mini-batch."""

from __future__ import annotations

from fmstudio.learn.experiment import Experiment

_SINKHORN = '''\
def transport_plan(cost, eps):
    """The plan exp((f_i + g_j - cost_ij) / eps) with rows and columns that sum to 1, by Sinkhorn's scaling.

    It starts from a larger eps and halves it; f and g take up the scalings u, v, so nothing overflows.
    """
    level = max(eps, float(cost.max()) / 8)
    f = cost.min(1).values
    g = (cost - f[:, None]).min(0).values
    for _ in range(1000):
        kernel = ((f[:, None] + g - cost) / level).exp()
        u, v = torch.ones_like(f), torch.ones_like(g)
        for _ in range(10):
            u = 1 / (kernel @ v)
            v = 1 / (kernel.T @ u)
        off = (u * (kernel @ v) - 1).abs().mean()
        f, g = f + level * u.log(), g + level * v.log()
        if level == eps and off < 0.01:
            break
        level = max(eps, level / 2)
    return ((f[:, None] + g - cost) / eps).exp()


'''


def coupling_code(experiment: Experiment, labelled: bool) -> str:
    """``couple(x0, x1)``: the data points in the order of their partners; empty for independent ones."""
    if experiment.coupling == "independent":
        return ""
    size = experiment.coupling_batch
    rows = "part" if labelled else "rows"
    if experiment.coupling == "optimal transport":
        before, what = "", "the total |x1 - x0|^2 is least"
        cost = f"cost = torch.cdist(x1[{rows}], x0[{rows}]).square()"
        best = f"order[{rows}] = {rows}[linear_sum_assignment(cost)[1]]"
    else:
        before, what = _SINKHORN, "every x1 draws its x0 from an entropic plan"
        cost = f"cost = torch.cdist(x0[{rows}].double(), x1[{rows}].double()).square()"
        best = (
            f"plan = transport_plan(cost, {experiment.sinkhorn_reg!r})\n"
            f"order[{rows}] = {rows}[torch.multinomial(plan.T, 1)[:, 0]]"
        )
    lines = [*cost.splitlines(), *best.splitlines()]
    if labelled:
        lines = [
            "for k in label[rows].unique():  # each class by itself",
            "    part = rows[label[rows] == k]",
            *(f"    {line}" for line in lines),
        ]
    body = "".join(f"        {line}\n" for line in lines)
    arguments = "x0, x1, label" if labelled else "x0, x1"
    return (
        f'{before}def couple({arguments}):\n    """Pair within mini-batches of {size}: {what}."""\n'
        "    order = torch.arange(len(x0))\n"
        f"    for rows in torch.arange(len(x0)).split({size}):\n{body}    return x0[order]\n"
    )
