"""Durations and distances by road: offline from a highway graph, or from Mapbox."""

from services.roads.choice import Roads, roads_for
from services.roads.great_circle import GreatCircle
from services.roads.highways import Highways
from services.roads.table import EstimatedTable, Remark

__all__ = ["EstimatedTable", "GreatCircle", "Highways", "Remark", "Roads", "roads_for"]
