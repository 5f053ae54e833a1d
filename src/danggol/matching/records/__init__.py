"""Pairs of records of any columns: which of them are the same thing."""

from danggol.matching.records.matcher import Judged, RecordMatcher
from danggol.matching.records.reading import Record, RecordPairs, read_pairs
from danggol.matching.records.settings import RecordSettings

__all__ = ["Judged", "Record", "RecordMatcher", "RecordPairs", "RecordSettings", "read_pairs"]
