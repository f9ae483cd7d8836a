import { execFileSync } from 'node:child_process';
import { CodecError } from './codec-error';
import { ZstdStreamDecoder } from './zstd-stream';

const content = Buffer.from('one frame after the other, '.repeat(100));
const frame = execFileSync('zstd', ['-q', '-c'], { input: content });

test('a frame comes out as there is room, and its end is told', async () => {
  using decoder = new ZstdStreamDecoder();
  const parts: Buffer[] = [];
  let input = Buffer.concat([frame, frame]);
  let frames = 0;
  while (input.length > 0 || frames < 2) {
    const output = Buffer.alloc(500);
    const { consumed, produced, frameEnded } = await decoder.step(input.subarray(0, 7), output);
    input = input.subarray(consumed);
    parts.push(output.subarray(0, produced));
    if (frameEnded) frames++;
  }
  expect(Buffer.concat(parts)).toEqual(Buffer.concat([content, content]));
  expect(frames).toBe(2);
});

test('what is no frame is an error', async () => {
  using decoder = new ZstdStreamDecoder();
  await expect(decoder.step(Buffer.from('no frame at all'), Buffer.alloc(10))).rejects.toThrow(CodecError);
});
