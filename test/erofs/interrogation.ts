import assert from 'node:assert/strict';
import type { Nid } from '../../erofs/brands';
import { ErofsError } from '../../erofs/errors';
import type { ErofsImage, Inode } from '../../erofs/image';
import { isDirectory, isRegularFile, isSymlink } from '../../erofs/inode';
import { openBytes } from './damaged-image';

const READ_LIMIT = 1 << 20;
const INODE_LIMIT = 2000;

/** What the reader says of an image, from everything it can be asked: results and typed errors, as text. */
export class Interrogation {
  readonly answers = new Map<string, string>();

  constructor(private readonly devices: readonly string[] = []) {}

  async ask(question: string, answer: () => Promise<string>): Promise<void> {
    try {
      this.answers.set(question, await answer());
    } catch (error) {
      if (!(error instanceof ErofsError)) throw error;
      assert.equal(error.image, 'hostile');
      assert.notEqual(error.field, '');
      this.answers.set(question, 'refused');
    }
  }

  async interrogate(bytes: Buffer, cached: boolean): Promise<this> {
    await this.ask('image', async () => {
      await using image = await openBytes(bytes, cached, this.devices);
      await this.#files(image);
      await this.#tree(image);
      return 'opened';
    });
    return this;
  }

  async #files(image: ErofsImage): Promise<void> {
    await this.ask('files', async () => {
      const nids: Nid[] = [];
      for await (const { nid } of image.files()) nids.push(nid);
      return nids.join();
    });
  }

  async #tree(image: ErofsImage): Promise<void> {
    const known = new Set<Nid>([image.rootNid]);
    for (const nid of known) {
      if (known.size > INODE_LIMIT) break;
      await this.ask(`inode ${nid}`, async () => {
        const inode = await image.inode(nid);
        await this.#inode(image, inode, known);
        return JSON.stringify(inode);
      });
    }
  }

  async #inode(image: ErofsImage, inode: Inode, known: Set<Nid>): Promise<void> {
    const { nid } = inode;
    await this.ask(`xattrs ${nid}`, async () => {
      const attributes = await image.xattrs(inode);
      for (const { name } of attributes) await image.getXattr(inode, name);
      return JSON.stringify(attributes);
    });
    await this.ask(
      `fingerprint ${nid}`,
      async () => (await image.fingerprint(inode))?.toString('hex') ?? 'none',
    );
    if (isSymlink(inode)) {
      await this.ask(`target ${nid}`, async () => {
        const target = await image.readlink(inode);
        assert.ok(target.length <= 4095);
        return target.toString('hex');
      });
    }
    if (isRegularFile(inode)) {
      await this.ask(`content ${nid}`, async () => {
        const content = await image.read(inode, 0, READ_LIMIT);
        assert.equal(content.length, Math.min(READ_LIMIT, inode.size));
        return content.toString('hex');
      });
      await this.ask(`end ${nid}`, async () => {
        const end = await image.read(inode, Math.max(0, inode.size - 10), 20);
        assert.equal(end.length, Math.min(10, inode.size));
        return end.toString('hex');
      });
    }
    if (isDirectory(inode)) {
      await this.ask(`entries ${nid}`, async () => {
        const entries = await image.entriesFrom(inode, 0, INODE_LIMIT);
        for (const entry of entries) {
          known.add(entry.nid);
          await this.ask(`lookup ${nid} ${entry.name.toString('hex')}`, async () => {
            const found = await image.lookup(inode, entry.name);
            return `${found?.nid}`;
          });
        }
        return JSON.stringify(entries);
      });
    }
  }
}
