"""What can be wrong with what is asked of a vehicle."""

from __future__ import annotations

from core.errors import Conflict, Invalid, NotFound


class VehicleNotFound(NotFound):
    """There is no such vehicle."""

    code = "VEHICLE_NOT_FOUND"


class FillNotFound(NotFound):
    """There is no such fill of this vehicle."""

    code = "FUEL_FILL_NOT_FOUND"


class MileageNotFound(NotFound):
    """There is no such mileage entry of this vehicle."""

    code = "MILEAGE_NOT_FOUND"


class OdometerBackwards(Invalid):
    """An odometer does not run backwards in time."""

    code = "ODOMETER_BACKWARDS"


class ResetNeeded(Conflict):
    """Without the reset that this fill records, the odometer of the next would run backwards."""

    code = "ODOMETER_RESET_NEEDED"
