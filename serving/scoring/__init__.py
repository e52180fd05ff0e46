"""Scoring of large tables: on one machine shard by shard, or on Spark."""
