"""Where the engine finds zones: with the contract, which needs them for the morning of a trip."""

from tasks.plan_route.contract.zones import zone_at

__all__ = ["zone_at"]
