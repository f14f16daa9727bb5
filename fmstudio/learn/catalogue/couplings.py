"""The couplings that an experiment may choose."""

from __future__ import annotations

from fmstudio.flow.couplings.coupling import Coupling, Independent, OptimalTransport, Sinkhorn
from fmstudio.learn.catalogue.member import Member, family

COUPLINGS: dict[str, Member[Coupling]] = family(
    Member[Coupling]("independent", lambda e: Independent()),
    Member[Coupling]("optimal transport", lambda e: OptimalTransport(), ("coupling_batch",), "OT"),
    Member[Coupling](
        "sinkhorn", lambda e: Sinkhorn(e.sinkhorn_reg), ("coupling_batch", "sinkhorn_reg"), "Sinkhorn"
    ),
)
