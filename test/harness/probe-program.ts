import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LayerEntry } from '../../scripts/oci/layer-source';
import { hostPrograms } from './host-programs';

/** perl-base is essential on Debian and Ubuntu; without a `use` line it needs nothing but its libraries. */
export const PERL = '/usr/bin/perl';
const SCRIPT = '/probe.pl';

/** Numbers of system calls that perl has no function for (asm/unistd.h), by Node's name of the architecture. */
const SYSTEM_CALLS: Readonly<Partial<Record<NodeJS.Architecture, Readonly<Record<string, number>>>>> = {
  x64: { madvise: 28, mmap: 9, pread64: 17, sendfile: 40, splice: 275 },
  arm64: { madvise: 233, mmap: 222, pread64: 67, sendfile: 71, splice: 76 },
};

/** Ways to get at the bytes of a file. */
export const WAYS = ['read', 'pread', 'mmap-private', 'mmap-shared', 'sendfile', 'splice'] as const;
export type Way = (typeof WAYS)[number];

/** Ways to keep a file in use: opened; mapped and read in full; mapped and then closed. */
export type Hold = 'hold-open' | 'hold-mapped' | 'hold-mapped-closed';

/** Command line that reads a file in one way and prints `LENGTH CHECKSUM`. */
export function probe(way: Way, path: string): string[] {
  return [PERL, SCRIPT, way, path];
}

/** Command line that keeps files in use until it is killed. */
export function holder(hold: Hold, paths: readonly string[]): string[] {
  return [PERL, SCRIPT, hold, ...paths];
}

/** Command line that waits for ever after it has read in all code that the loader has mapped, its own and libraries'. */
export function codeHolder(): string[] {
  return [PERL, SCRIPT, 'hold-code'];
}

/** Waits until a holder has got hold of everything. */
export async function waitUntilHolding(pid: number): Promise<void> {
  const deadline = Date.now() + READY_LIMIT;
  while ((await readFile(`/proc/${pid}/comm`, 'utf8')) !== `${HOLDING}\n`) {
    if (Date.now() > deadline) throw new Error(`process ${pid} does not get hold of its files`);
    await sleep(20);
  }
}

/** The name that a holder gives itself then. */
const HOLDING = 'holding';
const READY_LIMIT = 20_000;

/**
 * Command line that reads a file again and again until a file called `stop` appears, and prints how many times it did
 * so and `LENGTH CHECKSUM` of each different content that it saw.
 */
export function repeater(path: string, stop: string): string[] {
  return [PERL, SCRIPT, 'repeat', path, stop];
}

/** What the probe prints for these bytes. */
export function probeAnswer(content: Buffer): string {
  const padded = Buffer.concat([content, Buffer.alloc(3)]);
  let sum = 0;
  for (let page = 0; page < content.length; page += PAGE) {
    let words = 0;
    const end = Math.min(page + PAGE, padded.length - 3);
    for (let at = page; at < end; at += 4) words = (words + padded.readUInt32BE(at)) % WORD;
    sum = (sum * 31 + words) % WORD;
  }
  return `${content.length} ${sum}`;
}

const PAGE = 4096;
const WORD = 2 ** 32;

/** perl with its libraries and the probe, for an image's layer. */
export async function probeProgram(): Promise<LayerEntry[]> {
  const calls = SYSTEM_CALLS[process.arch];
  if (calls === undefined)
    throw new Error(`the numbers of ${process.arch}'s system calls are not known here`);
  const table = Object.entries(calls).map(([name, number]) => `${name} => ${number}`);
  const content = `my %call = (${table.join(', ')});\nmy $holding = '${HOLDING}';\n${PROGRAM}`;
  return [...(await hostPrograms([PERL])), { path: SCRIPT.slice(1), type: 'file', content }];
}

const PROGRAM = String.raw`
my ($way, @paths) = @ARGV;
my ($path, $stop) = @paths;
my $chunk = 65536;

sub open_file {
  sysopen(my $file, $path, 0) or die "open $path: $!";
  return $file;
}

# Folds pages into 32 bits, so that a wrong or misplaced page shows.
sub answer {
  my $sum = 0;
  for (my $at = 0; $at < length $_[0]; $at += 4096) {
    $sum = ($sum * 31 + unpack('%32N*', substr($_[0], $at, 4096) . "\0\0\0")) % 4294967296;
  }
  return length($_[0]) . " $sum";
}

# Never returns.
sub hold {
  $0 = $holding;
  sleep 1000000 while 1;
}

sub read_whole {
  my $file = open_file();
  my $data = '';
  1 while sysread($file, $data, 1 << 20, length $data);
  return $data;
}

sub pread_whole {
  my $file = open_file();
  my $data = '';
  my $buffer = "\0" x $chunk;
  while ((my $got = syscall($call{pread64}, fileno $file, $buffer, $chunk, length $data)) > 0) {
    $data .= substr($buffer, 0, $got);
  }
  return $data;
}

# Returns the address of the whole file; flags: 1 shared, 2 private.
sub map_whole {
  my ($file, $flags) = @_;
  my $address = syscall($call{mmap}, 0, -s $file, 1, $flags, fileno $file, 0);
  die "mmap $path: $!" if $address == -1;
  return $address;
}

sub mapped_bytes {
  my ($address, $length) = @_;
  return unpack("P$length", pack('J', $address));
}

sub map_and_read {
  my $file = open_file();
  return mapped_bytes(map_whole($file, $_[0]), -s $file);
}

# The kernel moves pages into a pipe, which is emptied after each step.
sub through_pipe {
  my ($move) = @_;
  my $file = open_file();
  pipe(my $out, my $in) or die "pipe: $!";
  my $data = '';
  while ((my $moved = $move->(fileno $file, fileno $in)) > 0) {
    while ($moved > 0) {
      my $got = sysread($out, $data, $moved, length $data) or die "pipe: $!";
      $moved -= $got;
    }
  }
  die "$way $path: $!" if length $data != -s $file;
  return $data;
}

my %whole = (
  'read' => \&read_whole,
  'pread' => \&pread_whole,
  'mmap-private' => sub { map_and_read(2) },
  'mmap-shared' => sub { map_and_read(1) },
  'sendfile' => sub { through_pipe(sub { syscall($call{sendfile}, $_[1], $_[0], 0, $chunk) }) },
  'splice' => sub { through_pipe(sub { syscall($call{splice}, $_[0], 0, $_[1], 0, $chunk, 0) }) },
);

if (my $work = $whole{$way}) {
  print answer($work->()), "\n";
} elsif ($way eq 'repeat') {
  my ($times, %seen) = (0);
  until (-e $stop) {
    $seen{answer(read_whole())}++;
    $times++;
  }
  print join("\n", $times, sort keys %seen), "\n";
} elsif ($way eq 'hold-code') {
  open(my $maps, '<', '/proc/self/maps') or die "maps: $!";
  while (<$maps>) {
    my ($start, $end) = /^(\w+)-(\w+) r-xp .* \// or next;
    # 22: MADV_POPULATE_READ, Linux 5.14.
    syscall($call{madvise}, hex $start, hex($end) - hex($start), 22) == 0 or die "madvise: $!";
  }
  hold();
} else {
  my @open;
  for (@paths) {
    $path = $_;
    my $file = open_file();
    mapped_bytes(map_whole($file, 1), -s $file) if $way ne 'hold-open';
    push @open, $file if $way ne 'hold-mapped-closed';
  }
  hold();
}
`;
