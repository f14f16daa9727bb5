"""Races against the peers, one script for each comparison; ``python -m benchmarks`` runs all of them.

Every race measures the CPU time of its process on one thread, contestant after contestant in turns
(A B A B), and reports medians and ratios. Each script prints its own table when it is run by itself.
"""
