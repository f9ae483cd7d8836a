import { MemorySource } from '../../../../erofs/memory-source';
import { END, member, symlinkMember } from '../../../../erofs/writer/tar/testing/craft-tar';
import { ARM64, configurationOf, sha256, tarLayer } from '../testing/crafted-layout';
import type { ArchivedImage } from './archived-image';
import { readDockerImage } from './docker-image';
import { TarStore } from './tar-store';

const base = tarLayer(member({ name: 'base' }, 'base'));
const top = tarLayer(member({ name: 'top' }, 'top'));
const config = Buffer.from(JSON.stringify(configurationOf([base, top])));
const configName = `${sha256(config).slice('sha256:'.length)}.json`;

/** What Docker wrote before version 25: layers have names of their own, and one that is there twice is a link. */
function archive(images: readonly object[], configuration = config): Buffer {
  return Buffer.concat([
    member({ name: 'aaaa/layer.tar' }, base.blob),
    symlinkMember('bbbb/layer.tar', '../cccc/layer.tar'),
    member({ name: 'cccc/layer.tar' }, top.blob),
    member({ name: configName }, configuration),
    member({ name: 'manifest.json' }, JSON.stringify(images)),
    END,
  ]);
}

const image = {
  Config: configName,
  RepoTags: ['redis:7', 'redis:latest'],
  Layers: ['aaaa/layer.tar', 'bbbb/layer.tar'],
};

async function read(tar: Buffer, name?: string): Promise<ArchivedImage> {
  await using store = await TarStore.open(new MemorySource(tar, 'saved.tar'));
  return await readDockerImage(store, { name, platform: undefined });
}

test('an image is found, and its layers through links', async () => {
  expect(await read(archive([image]))).toMatchObject({
    name: 'redis:7',
    layers: [
      { path: 'aaaa/layer.tar', digest: undefined, size: base.blob.length, chainId: base.diffId },
      { path: 'bbbb/layer.tar', size: top.blob.length, chainId: sha256(`${base.diffId} ${top.diffId}`) },
    ],
  });
});

test('of several images one is chosen by any of its tags', async () => {
  const several = archive([image, { ...image, Config: 'other.json', RepoTags: ['nginx:1'] }]);
  expect((await read(several, 'redis:latest')).name).toBe('redis:7');
  await expect(read(several)).rejects.toThrow(
    'saved.tar: holds several images; choose one with saved.tar#NAME: redis:7, nginx:1',
  );
  await expect(read(several, 'nginx:1')).rejects.toThrow(
    'saved.tar, other.json: the configuration of the image is missing',
  );
});

test('a configuration that is not what its name says is refused', async () => {
  const forged = Buffer.from(JSON.stringify(configurationOf([base, base])));
  await expect(read(archive([image], forged))).rejects.toThrow(
    `saved.tar, ${configName}: the content has the digest ${sha256(forged)}`,
  );
});

test('a layer that is missing is named, and so is another platform', async () => {
  await expect(read(archive([{ ...image, Layers: ['aaaa/layer.tar', 'dddd/layer.tar'] }]))).rejects.toThrow(
    'saved.tar, dddd/layer.tar: a layer is missing',
  );
  await using store = await TarStore.open(new MemorySource(archive([image]), 'saved.tar'));
  await expect(readDockerImage(store, { name: undefined, platform: ARM64 })).rejects.toThrow(
    'saved.tar: the image is for linux/amd64, not linux/arm64',
  );
});
