// Lines of access logs, written after the documentation of each proxy, and what is read from them.
import * as assert from 'uvu/assert';
import { type AccessLine, accessLineSchema } from '../../harness/model/access.ts';
import { accessLine } from '../../harness/record/access-log/index.ts';
import { suite } from '../suite.ts';

const test = suite('access-log');

const traefik = (fields: Record<string, unknown>) =>
  JSON.stringify({
    ClientAddr: '10.244.0.7:51542',
    DownstreamContentSize: 35,
    DownstreamStatus: 200,
    Duration: 6_250_000,
    OriginStatus: 200,
    RequestMethod: 'GET',
    RequestPath: '/',
    RetryAttempts: 0,
    RouterName: 'shop-target-shop@kubernetes',
    ServiceAddr: '10.244.1.5:8080',
    StartUTC: '2026-01-02T03:04:05.678Z',
    ...fields,
  });
const clf = (status: number, bytes: number, server = 'http://10.244.1.5:8080') =>
  `10.244.0.7 - - [02/Jan/2026:03:04:05 +0000] "GET / HTTP/1.1" ${status} ${bytes} "-" "-" 42 "shop@kubernetes" "${server}" 7ms`;
const nginx = (status: number, upstream: string) =>
  `10.244.0.7 - - [02/Jan/2026:03:04:05 +0000] "GET / HTTP/1.1" ${status} 150 "-" "-" 96 0.007 [shop-target-80] [] ${upstream} 4f3a`;
const haproxy = (server: string, status: number, state: string, retries = '0') =>
  `<134>1 2026-01-02T03:04:05Z haproxy[14389]: 10.0.1.2:33317 [02/Jan/2026:03:04:05.678] http-in shop/${server} 0/0/1/5/6 ${status} 2750 - - ${state} 1/1/1/1/${retries} 0/0 {shop} {} "GET / HTTP/1.1"`;
const envoy = (status: number, flags: string, host: string, more = '') =>
  `[2026-01-02T03:04:05.678Z] "GET / HTTP/1.1" ${status} ${flags}${more} 0 91 7 - "-" "-" "rp-1" "shop" "${host}"`;
const envoyGateway = (fields: Record<string, unknown>) =>
  JSON.stringify({
    start_time: '2026-01-02T03:04:05.678Z',
    response_code: 503,
    response_flags: 'UF',
    duration: 7,
    upstream_host: '10.244.1.5:8080',
    'x-request-id': 'rp-1',
    ...fields,
  });

const pod = '10.244.1.5:8080';
const table: [what: string, line: string, expected: Partial<AccessLine>][] = [
  ['Traefik, JSON, answered', traefik({}), { status: 200, answered: 'app', upstream: pod, durationMs: 6.25 }],
  [
    'Traefik, JSON, its own 502 with our id, retried',
    traefik({
      DownstreamStatus: 502,
      DownstreamContentSize: 11,
      RetryAttempts: 2,
      'request_X-Request-Id': 'rp-1',
    }),
    { status: 502, answered: 'proxy', upstream: pod, retries: 2, requestId: 'rp-1' },
  ],
  ['Traefik, JSON, the app\u2019s 502', traefik({ DownstreamStatus: 502 }), { status: 502, answered: 'app' }],
  [
    'Traefik, JSON, no server',
    traefik({ DownstreamStatus: 503, DownstreamContentSize: 20, ServiceAddr: undefined }),
    { status: 503, answered: 'no-endpoint' },
  ],
  [
    'Traefik, JSON, no router',
    traefik({ DownstreamStatus: 404, DownstreamContentSize: 19, ServiceAddr: undefined }),
    { status: 404, answered: 'no-route' },
  ],
  [
    'Traefik, JSON, too late',
    traefik({ DownstreamStatus: 504, DownstreamContentSize: 15 }),
    { answered: 'timeout' },
  ],
  [
    'Traefik, CLF',
    clf(502, 11),
    { format: 'traefik-clf', status: 502, answered: 'proxy', upstream: pod, durationMs: 7 },
  ],
  ['Traefik, CLF, the app\u2019s', clf(502, 35), { status: 502, answered: 'app' }],
  ['Traefik, CLF, no server', clf(503, 20, '-'), { status: 503, answered: 'no-endpoint' }],
  [
    'ingress-nginx, refused and asked another',
    nginx(200, '10.244.1.5:8080, 10.244.2.6:8080 0, 35 0.001, 0.005 502, 200'),
    {
      format: 'nginx',
      status: 200,
      answered: 'app',
      upstream: '10.244.2.6:8080',
      before: [pod],
      retries: 1,
      durationMs: 7,
      requestId: '4f3a',
    },
  ],
  [
    'ingress-nginx, 502 of its own',
    nginx(502, '10.244.1.5:8080 0 0.001 502'),
    { answered: 'proxy', upstream: pod },
  ],
  ['ingress-nginx, 502 of the app', nginx(502, '10.244.1.5:8080 35 0.001 502'), { answered: 'app' }],
  ['ingress-nginx, too late', nginx(504, '10.244.1.5:8080 0 5.001 504'), { answered: 'timeout' }],
  ['ingress-nginx, no endpoint', nginx(503, '- - - -'), { answered: 'no-endpoint', retries: 0 }],
  [
    'nginx, combined',
    '10.244.0.7 - - [02/Jan/2026:04:04:05 +0100] "GET / HTTP/1.1" 502 157 "-" "curl/8.0"',
    { format: 'nginx', status: 502, answered: 'unknown' },
  ],
  [
    'HAProxy, answered',
    haproxy('srv1', 200, '----'),
    { format: 'haproxy', answered: 'app', upstream: 'srv1' },
  ],
  ['HAProxy, refused', haproxy('srv1', 503, 'SC--', '3'), { answered: 'refused', retries: 3, flags: 'SC--' }],
  ['HAProxy, refused, another asked', haproxy('srv2', 200, '----', '+1'), { answered: 'app', retries: 1 }],
  ['HAProxy, cut', haproxy('srv1', 502, 'SH--'), { answered: 'cut' }],
  ['HAProxy, too late', haproxy('srv1', 504, 'sH--'), { answered: 'timeout' }],
  ['HAProxy, no server', haproxy('<NOSRV>', 503, 'SC--'), { answered: 'no-endpoint' }],
  ['HAProxy, the client went', haproxy('srv1', -1, 'CD--'), { answered: 'client', status: 0 }],
  [
    'Envoy, answered',
    envoy(200, '-', pod),
    { format: 'envoy', answered: 'app', upstream: pod, durationMs: 7 },
  ],
  [
    'Envoy, refused',
    envoy(503, 'UF,URX', pod),
    { answered: 'refused', retries: 1, flags: 'UF,URX', requestId: 'rp-1' },
  ],
  ['Envoy, cut', envoy(503, 'UC', pod), { answered: 'cut' }],
  ['Envoy, no endpoint', envoy(503, 'UH', '-'), { answered: 'no-endpoint' }],
  ['Envoy, no route', envoy(404, 'NR', '-'), { answered: 'no-route' }],
  ['Envoy, too late', envoy(504, 'UT', pod), { answered: 'timeout' }],
  ['Envoy, the client went', envoy(0, 'DC', pod), { answered: 'client' }],
  ['Envoy, the app\u2019s 503', envoy(503, '-', pod), { answered: 'app' }],
  ['Istio, the app\u2019s 503', envoy(503, '-', pod, ' via_upstream - "-"'), { answered: 'app' }],
  [
    'Istio, refused',
    envoy(
      503,
      'UF',
      pod,
      ' upstream_reset_before_response_started{remote_connection_failure} - "delayed_connect_error:_111"',
    ),
    { answered: 'refused' },
  ],
  [
    'Envoy Gateway',
    envoyGateway({ upstream_request_attempt_count: 3 }),
    { format: 'envoy-json', answered: 'refused', retries: 2 },
  ],
  [
    'Envoy Gateway, the app\u2019s',
    envoyGateway({ response_flags: '-', response_code_details: 'via_upstream' }),
    { answered: 'app' },
  ],
];

test('every form says who answered, whom it asked and how often', () => {
  for (const [what, line, expected] of table) {
    const read = accessLine(line);
    assert.ok(read, `${what}: not read`);
    assert.equal(accessLineSchema.parse(read), read, `${what}: as a journal has it`);
    for (const [field, value] of Object.entries(expected))
      assert.equal((read as Record<string, unknown>)[field], value, `${what}: ${field}`);
    assert.is(Math.floor(read.atMs / 1000), Date.UTC(2026, 0, 2, 3, 4, 5) / 1000, `${what}: time`);
    assert.equal(accessLine(line, read.format), read, `${what}: when its form is known`);
  }
});

test('what is no access log is not read', () => {
  const lines = [
    '',
    '{"level":"info","time":"2026-01-02T03:04:05Z","message":"Starting provider"}',
    '2026-01-02T03:04:05Z INF Configuration loaded from flags.',
    '[2026-01-02 03:04:05.678][1][info][main] all clusters initialized',
    'I0102 03:04:05.678912 7 controller.go:190] "Configuration changes detected"',
    '{"DownstreamStatus":"x"',
    `${'x'.repeat(40_000)}`,
  ];
  for (const line of lines) assert.is(accessLine(line), undefined, line.slice(0, 60));
});

test.run();
