// Workloads that hold data or queues: another replica is no second copy of the same, it splits or corrupts what they hold.
import { parseImage } from './image.ts';
import type { Workload } from './workload.ts';

const images =
  /(^|[/-])(postgres(ql)?|pgvector|timescaledb|mysql|mariadb|percona[\w-]*|mongo(db)?|redis(-stack)?|valkey|dragonfly|memcached|rabbitmq|activemq[\w-]*|artemis|nats|kafka|redpanda|pulsar|zookeeper|etcd|consul|vault|cassandra|scylla|cockroach(db)?|elasticsearch|opensearch|solr|clickhouse[\w-]*|influxdb|prometheus|victoria-metrics|minio|neo4j|couchdb|couchbase|arangodb|mosquitto|emqx|ldap|openldap|mssql[\w-]*|oracle[\w-]*|registry|gitea|gogs|nexus3?|sqlite|meilisearch|typesense|qdrant|weaviate|milvus)([/-]|$)/i;
const ports: ReadonlySet<unknown> = new Set([
  5432, 3306, 1433, 1521, 6379, 11211, 27017, 5672, 61616, 4222, 9092, 2181, 2379, 8500, 9042, 26257, 9200,
  9300, 8086, 9000, 7687, 5984, 389, 1883, 8883,
]);
/** Ports that others use as well: only together with a store's image. */
const shared: ReadonlySet<unknown> = new Set([9000, 8500, 1883, 8883]);

export function isDataStore(workload: Workload): boolean {
  const serving = workload.traffic.containers.length > 0 ? workload.traffic.containers : workload.containers;
  return serving.some(({ image, value }) => {
    if (images.test(parseImage(image)?.repository ?? image)) return true;
    const declared = Array.isArray(value.ports) ? (value.ports as { containerPort?: unknown }[]) : [];
    return declared.some((port) => ports.has(port?.containerPort) && !shared.has(port?.containerPort));
  });
}
