import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { systemCalls } from './system-calls';

/** Perl, which every Debian has, with nothing but its own functions. */
const PROGRAM = String.raw`
my $path = shift @ARGV;
# syscall() takes what was never used as a number for the address of a text.
my ($flags, $mmap, $fadvise, $readahead) = map { $_ + 0 } @ARGV;
$| = 1;
sysopen(my $file, $path, $flags) or die "open $path: $!";
my $size = -s $file;
my $address = -1;
print "open\n";
while (my $line = <STDIN>) {
  my ($command, @numbers) = split ' ', $line;
  my ($offset, $length) = map { $_ + 0 } @numbers;
  if ($command eq 'read') {
    sysseek($file, $offset, 0);
    my $data = '';
    while (length $data < $length) { sysread($file, $data, $length - length $data, length $data) or last }
    print length($data), "\n", $data;
  } elsif ($command eq 'map') {
    $address = syscall($mmap, 0, $size, 1, $offset, fileno $file, 0);
    print $address == -1 ? "0\n" : "1\nx";
  } elsif ($command eq 'mapped') {
    my $data = unpack("P$length", pack('J', $address + $offset));
    print length($data), "\n", $data;
  } elsif ($command eq 'close') {
    close $file;
    print "0\n";
  } elsif ($command eq 'willneed') {
    syscall($fadvise, fileno $file, $offset, $length, 3) == 0 or die "fadvise: $!";
    print "0\n";
  } elsif ($command eq 'readahead') {
    syscall($readahead, fileno $file, $offset, $length) == 0 or die "readahead: $!";
    print "0\n";
  }
}
`;

const TIME_LIMIT_MS = 20_000;

/** A process that has a file open, and does with it what it is told. */
export class FileUser implements AsyncDisposable {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #ended: Promise<unknown>;
  #received = Buffer.alloc(0);

  private constructor(child: ChildProcessByStdio<Writable, Readable, null>) {
    this.#child = child;
    this.#ended = once(child, 'exit');
  }

  /**
   * @param flags those of open(2).
   * @param timeLimit of the process, in milliseconds.
   */
  static async open(path: string, flags = 0, timeLimit = TIME_LIMIT_MS): Promise<FileUser> {
    const { mmap, fadvise64, readahead } = systemCalls();
    const args = ['-e', PROGRAM, path, flags, mmap, fadvise64, readahead].map(String);
    const child = spawn('perl', args, { stdio: ['pipe', 'pipe', 'inherit'], timeout: timeLimit });
    const user = new FileUser(child);
    await user.#line();
    return user;
  }

  /** Bytes by read(2) on the one descriptor. */
  read(offset: number, length: number): Promise<Buffer> {
    return this.#ask(`read ${offset} ${length}`);
  }

  /** Maps the whole file. False where the kernel refuses. */
  async map(kind: 'shared' | 'private'): Promise<boolean> {
    return (await this.#ask(`map ${kind === 'shared' ? 1 : 2}`)).length > 0;
  }

  /** Bytes of the mapping. */
  mapped(offset: number, length: number): Promise<Buffer> {
    return this.#ask(`mapped ${offset} ${length}`);
  }

  /** Closes the descriptor; what is mapped stays so. */
  async close(): Promise<void> {
    await this.#ask('close');
  }

  /** posix_fadvise(POSIX_FADV_WILLNEED). */
  async willNeed(offset: number, length: number): Promise<void> {
    await this.#ask(`willneed ${offset} ${length}`);
  }

  /** readahead(2). */
  async readahead(offset: number, length: number): Promise<void> {
    await this.#ask(`readahead ${offset} ${length}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end();
    await this.#ended;
  }

  async #ask(command: string): Promise<Buffer> {
    this.#child.stdin.write(`${command}\n`);
    const length = Number(await this.#line());
    while (this.#received.length < length) await this.#more();
    const data = this.#received.subarray(0, length);
    this.#received = this.#received.subarray(length);
    return data;
  }

  async #line(): Promise<string> {
    for (;;) {
      const end = this.#received.indexOf('\n');
      if (end >= 0) {
        const line = this.#received.toString('latin1', 0, end);
        this.#received = this.#received.subarray(end + 1);
        return line;
      }
      await this.#more();
    }
  }

  async #more(): Promise<void> {
    const gone = this.#ended.then(() => {
      throw new Error('the process has ended');
    });
    const [chunk] = (await Promise.race([once(this.#child.stdout, 'data'), gone])) as [Buffer];
    this.#received = Buffer.concat([this.#received, chunk]);
  }
}
