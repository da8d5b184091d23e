"""What can be wrong with what is asked of a vehicle."""

from __future__ import annotations

from core.errors import NotFound


class VehicleNotFound(NotFound):
    """There is no such vehicle."""

    code = "VEHICLE_NOT_FOUND"
