-- name: offsets
select topic, partition, next_offset from partition_offset where topic = any(%(topics)s)
