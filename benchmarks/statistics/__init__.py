"""Intervals, tests and balanced designs: functions of arrays that know no record."""
