import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PrivateContainerd } from '../containerd/private-containerd';
import { CtrError } from '../containerd/ctr-error';
import { agreeingPasses } from '../memory/agreeing-passes';
import { growthOfCached, readAllFiles } from '../memory/page-cache';
import { fileMappings, readSmaps, totalMemory } from '../memory/smaps';
import { contentTotals, type ContentTotals } from '../memory/unique-content';

/** An OCI archive to try, and how to know that its program is up. */
export interface Candidate {
  readonly archive: string;
  /** A command that prints `PONG` inside the container once the program serves; absent: it only has to keep running. */
  readonly ping?: readonly string[];
}

/** What the files that a container's first process maps take, in bytes. */
export interface MappedFiles {
  readonly rss: number;
  readonly pss: number;
}

export interface ImageMeasurement {
  /** The image's own name, as its archive gives it. */
  readonly reference: string;
  /** File name of the archive. */
  readonly archive: string;
  /** Absent where the image's program did not start or ended by itself; `remark` says which. */
  readonly mapped?: MappedFiles;
  readonly remark?: string;
}

export interface Measurement {
  readonly images: readonly ImageMeasurement[];
  /** Bytes that the page cache grew by while every file of every image was read once. */
  readonly cached: number;
  /** By which fraction passes differ: what other programs did meanwhile. */
  readonly blur: number;
  readonly content: ContentTotals;
}

export interface MeasurementOptions {
  readonly containerd: PrivateContainerd;
  readonly snapshotter: string;
  readonly namespace: string;
  /** What is measured here, in two words; every step begins with it. */
  readonly label: string;
  /** For mount points. */
  readonly directory: string;
  readonly signal: AbortSignal;
  readonly onStep: (step: string) => void;
}

/** How long a program has to answer its ping, and how long a program without one is watched; milliseconds. */
const PING_LIMIT = 30_000;
const SETTLE_TIME = 2_000;
/** Reading is repeated until two passes agree within this fraction, at most so many times. */
const AGREEMENT = 0.02;
const PASSES = 6;

/**
 * Imports the archives into one containerd namespace, runs a container from each at the same time, looks at what they
 * map, and then measures what the page cache holds after reading all files of all images. The containers have ended by
 * then: pages that a process maps survive the dropping of caches and would be missing from the growth.
 */
export async function measure(
  candidates: readonly Candidate[],
  options: MeasurementOptions,
): Promise<Measurement> {
  const { containerd, namespace, snapshotter, signal, label, onStep } = options;
  const ctr = { namespace, snapshotter, signal };
  const images: Image[] = [];
  for (const candidate of candidates) {
    onStep(`${label}: importing ${basename(candidate.archive)}`);
    for (const reference of await containerd.import(candidate.archive, ctr)) {
      // Archives of different images may carry the same name, or none; here each gets one of its own.
      const name = `quickstart.local/image:${images.length + 1}`;
      await containerd.ctr(['images', 'tag', reference, name], ctr);
      await containerd.ctr(['images', 'remove', reference], ctr);
      images.push({ ...candidate, reference, name, container: `quickstart-${images.length + 1}` });
    }
  }
  onStep(`${label}: running a container from each image`);
  const measured = await runContainers(images, options);
  return { images: measured, ...(await readImages(images, options)) };
}

interface Image extends Candidate {
  readonly reference: string;
  readonly name: string;
  readonly container: string;
}

async function runContainers(
  images: readonly Image[],
  options: MeasurementOptions,
): Promise<ImageMeasurement[]> {
  const { containerd, namespace, snapshotter, signal } = options;
  const ctr = { namespace, snapshotter, signal };
  try {
    const remarks = new Map<Image, string>();
    for (const image of images) {
      const remark = await startContainer(image, options);
      if (remark !== undefined) remarks.set(image, remark);
    }
    if (images.some(({ ping }) => ping === undefined)) await sleep(SETTLE_TIME, undefined, { signal });
    const measured: ImageMeasurement[] = [];
    for (const image of images) {
      const named = { reference: image.reference, archive: basename(image.archive) };
      const remark = remarks.get(image);
      const task = (await containerd.tasks(ctr)).find(({ id }) => id === image.container);
      if (remark !== undefined) measured.push({ ...named, remark });
      else if (task?.status !== 'RUNNING') measured.push({ ...named, remark: 'its program ended by itself' });
      else measured.push({ ...named, mapped: totalMemory(fileMappings(await readSmaps(task.pid))) });
    }
    return measured;
  } finally {
    for (const image of images) await containerd.removeContainer(image.container, { namespace });
  }
}

/** Returns a remark when an image of the user's does not start. Ours must start, so its errors pass. */
async function startContainer(image: Image, options: MeasurementOptions): Promise<string | undefined> {
  const { containerd, namespace, snapshotter, signal } = options;
  const ctr = { namespace, snapshotter, signal };
  try {
    await containerd.run(image.name, image.container, ctr);
  } catch (error) {
    if (image.ping !== undefined || !(error instanceof CtrError) || signal.aborted) throw error;
    return `it did not start: ${error.stderr.trim().split('\n').at(-1) ?? ''}`;
  }
  if (image.ping !== undefined) await waitForPong(image.container, image.ping, options);
  return undefined;
}

async function waitForPong(
  container: string,
  command: readonly string[],
  { containerd, namespace, signal }: MeasurementOptions,
): Promise<void> {
  const deadline = Date.now() + PING_LIMIT;
  for (;;) {
    try {
      if ((await containerd.exec(container, { namespace, signal, command })).trim() === 'PONG') return;
    } catch (error) {
      // The server listens a moment after its process has started.
      if (signal.aborted || Date.now() > deadline) throw error;
    }
    if (Date.now() > deadline) throw new Error(`${container} answers no PING within ${PING_LIMIT / 1000} s`);
    await sleep(100, undefined, { signal });
  }
}

async function readImages(
  images: readonly Image[],
  options: MeasurementOptions,
): Promise<Pick<Measurement, 'cached' | 'blur' | 'content'>> {
  const { containerd, namespace, snapshotter, directory, signal, label, onStep } = options;
  const roots: string[] = [];
  try {
    for (const [index, image] of images.entries()) {
      const root = join(directory, `${namespace}-${index + 1}`);
      roots.push(root);
      await containerd.mountRoot(image.name, root, { namespace, snapshotter, signal });
    }
    onStep(`${label}: comparing the content of all files`);
    // This pass also brings in whatever the readers and the snapshotter need themselves.
    const content = await contentTotals(roots, signal);
    onStep(`${label}: dropping caches (echo 3 > /proc/sys/vm/drop_caches), reading all files`);
    const readAll = async (): Promise<void> => {
      for (const root of roots) await readAllFiles(root, signal);
    };
    const pass = (): Promise<number> => growthOfCached(readAll);
    const { value, difference } = await agreeingPasses(pass, AGREEMENT, PASSES);
    return { content, cached: value, blur: difference };
  } finally {
    for (const root of roots) await containerd.unmountRoot(root, { namespace });
  }
}
