"""What do numbers say? Intervals, tests, a line and balanced designs: functions of arrays that know no record."""
