"""What runs, asked itself: sources of a map that are no files."""

from levada.landscape.live.kafka import KafkaCluster, clusters, kafka_settings
from levada.landscape.live.protocol import Live, Unreachable

__all__ = ["KafkaCluster", "Live", "Unreachable", "clusters", "kafka_settings"]
