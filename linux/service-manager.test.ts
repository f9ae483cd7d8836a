import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ServiceManager } from './service-manager';

/** Says `ready`, then prints each datagram on a line. */
const LISTENER = String.raw`
use IO::Socket::UNIX;
$| = 1;
my $path = shift;
$path =~ s/^\@/\0/;
my $socket = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $path) or die $!;
print "ready\n";
while (defined $socket->recv(my $message, 100)) { print "$message\n" }
`;

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'service-manager-'));
});

afterAll(async () => {
  await rm(directory, { recursive: true });
});

test.each([
  ['a path', () => join(directory, 'notify')],
  ['an abstract name', () => `@ishare-service-manager-${process.pid}`],
])(
  'what is told arrives at %s',
  async (_what, addressOf) => {
    const address = addressOf();
    const listener = spawn('perl', ['-e', LISTENER, address], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      const lines = createInterface(listener.stdout)[Symbol.asyncIterator]();
      const next = async (): Promise<string | undefined> => (await lines.next()).value as string | undefined;
      expect(await next()).toBe('ready');
      using manager = ServiceManager.of({ NOTIFY_SOCKET: address });
      manager!.tell('READY=1');
      manager!.tell('WATCHDOG=1');
      expect([await next(), await next()]).toEqual(['READY=1', 'WATCHDOG=1']);
    } finally {
      const ended = once(listener, 'exit');
      listener.kill();
      await ended;
    }
  },
  20_000,
);

test('where nobody has asked nobody is told, and where nobody listens that is an error', () => {
  expect(ServiceManager.of({})).toBeUndefined();
  expect(ServiceManager.of({ NOTIFY_SOCKET: '' })).toBeUndefined();
  expect(() => ServiceManager.of({ NOTIFY_SOCKET: join(directory, 'nobody') })).toThrow('ENOENT');
});

test('signs of life are wanted of the process that they were asked of', async () => {
  const address = join(directory, 'watchdog');
  const listener = spawn('perl', ['-e', LISTENER, address], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    await once(listener.stdout, 'data');
    const wanted = (environment: NodeJS.ProcessEnv): number | undefined => {
      using manager = ServiceManager.of({ NOTIFY_SOCKET: address, ...environment });
      return manager!.watchdogMs;
    };
    const WATCHDOG_USEC = '60000000';
    expect(wanted({ WATCHDOG_USEC, WATCHDOG_PID: String(process.pid) })).toBe(60_000);
    expect(wanted({ WATCHDOG_USEC })).toBe(60_000);
    expect(wanted({ WATCHDOG_USEC, WATCHDOG_PID: '1' })).toBeUndefined();
    expect(wanted({})).toBeUndefined();
  } finally {
    const ended = once(listener, 'exit');
    listener.kill();
    await ended;
  }
}, 20_000);
