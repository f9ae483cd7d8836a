import type { Tool, Tools } from '../tool/tools';
import { NODE_PACKAGES } from '../images/debian-pairs';
import { matrixModel } from './onnx-model';

/** A service in a container, and what it is kept busy with. */
export interface Workload {
  /** Name of the image pair. */
  readonly pair: string;
  /** Command of the container. It must not end by itself. */
  readonly command: readonly string[];
  /** TCP port on the loopback device of the container's network where it answers once it is ready; absent: a file tells. */
  readonly port?: number;
  /** File in the container that is there once it is ready. */
  readonly readyFile?: string;
  /** Programs of the host, run one after the other in the container's network. Undefined where one was not fetched. */
  load(tools: Tools, quick: boolean): readonly Tool[] | undefined;
}

/** Of tmpfs: what services write is shared memory, and in no figure of files. */
export const DATA = '/data';

export const WORKLOADS: readonly Workload[] = [
  {
    pair: 'redis',
    command: ['/usr/bin/redis-server', '--save', '', '--dir', DATA, '--port', '6379'],
    port: 6379,
    load: (tools, quick) =>
      programs(tools, [
        'redis-benchmark',
        ...['-q', '-c', '20', '-n', quick ? '5000' : '50000', '-t', 'set,get,incr,lpush,lrange_100'],
      ]),
  },
  {
    pair: 'postgres',
    command: shell(
      `install -d -o postgres -g postgres ${DATA}/db`,
      `export PATH=$PATH:/usr/lib/postgresql/15/bin`,
      `setpriv --reuid=postgres --regid=postgres --clear-groups initdb -D ${DATA}/db -A trust --no-sync`,
      `exec setpriv --reuid=postgres --regid=postgres --clear-groups postgres -D ${DATA}/db -k ${DATA} -c shared_buffers=16MB`,
    ),
    port: 5432,
    load: (tools, quick) => {
      const connection = ['-h', '127.0.0.1', '-U', 'postgres'];
      return programs(
        tools,
        ['pgbench', '-i', '-q', '-s', '1', ...connection, 'postgres'],
        ['pgbench', '-c', '4', '-T', quick ? '2' : '10', ...connection, 'postgres'],
      );
    },
  },
  {
    pair: 'mariadb',
    command: shell(
      `mariadb-install-db --force --user=mysql --datadir=${DATA}/db --auth-root-authentication-method=normal --skip-test-db`,
      `exec mariadbd --user=mysql --datadir=${DATA}/db --socket=${DATA}/socket --pid-file=${DATA}/pid --bind-address=127.0.0.1 --skip-name-resolve --innodb-buffer-pool-size=16M`,
    ),
    port: 3306,
    load: (tools, quick) =>
      programs(tools, [
        'mariadb-slap',
        '--host=127.0.0.1',
        '--user=root',
        '--auto-generate-sql',
        '--concurrency=4',
        `--number-of-queries=${quick ? 1000 : 10000}`,
      ]),
  },
  {
    pair: 'nginx',
    command: ['/usr/sbin/nginx', '-g', 'daemon off;'],
    port: 80,
    load: (tools, quick) => programs(tools, web('http://127.0.0.1/', quick)),
  },
  {
    pair: 'tomcat',
    command: shell(
      'export CATALINA_HOME=/usr/share/tomcat10 CATALINA_BASE=/var/lib/tomcat10 CATALINA_TMPDIR=/tmp JAVA_OPTS=-Xmx128m',
      'export JAVA_HOME=/usr/lib/jvm/default-java',
      'exec /usr/share/tomcat10/bin/catalina.sh run',
    ),
    port: 8080,
    load: (tools, quick) => programs(tools, web('http://127.0.0.1:8080/', quick)),
  },
  {
    pair: 'onnxruntime',
    command: ['/usr/bin/node', '-e', onnxProgram()],
    readyFile: `${DATA}/ready`,
    load: () => [],
  },
];

function shell(...lines: readonly string[]): string[] {
  return ['/bin/sh', '-e', '-c', lines.join('\n')];
}

function web(url: string, quick: boolean): [string, ...string[]] {
  return ['wrk', '-t', '1', '-c', '8', '-d', quick ? '1s' : '5s', url];
}

function programs(tools: Tools, ...lines: readonly [string, ...string[]][]): Tool[] | undefined {
  const found = lines.map(([name, ...words]) => {
    const tool = tools.find('load', name);
    return tool && { program: tool.program, words: [...tool.words, ...words] };
  });
  return found.every((tool) => tool !== undefined) ? found : undefined;
}

/** Makes a session, runs it a hundred times, says that it is ready, and waits. */
function onnxProgram(): string {
  return `
    const { InferenceSession, Tensor } = require('${NODE_PACKAGES}/onnxruntime-node');
    (async () => {
      const session = await InferenceSession.create(Buffer.from('${matrixModel().toString('base64')}', 'base64'));
      for (let run = 0; run < 100; run++) {
        await session.run({ a: new Tensor('float32', new Float32Array(4096).fill(run), [64, 64]) });
      }
      require('fs').writeFileSync('${DATA}/ready', '');
      setInterval(() => session, 1 << 30);
    })();`;
}
