import { MissingCodecError } from './codec-error';
import { systemLibrary } from './system-codecs';

describe('a system library', () => {
  it('that is missing is named, when it is first asked for', () => {
    const missing = systemLibrary('libishare-has-none.so.9', () => 'loaded');
    expect(missing).toThrow(MissingCodecError);
    expect(missing).toThrow('the library libishare-has-none.so.9 is missing');
  });

  it('is loaded once', () => {
    let times = 0;
    const codec = systemLibrary('liblz4.so.1', (declare) => {
      times++;
      return declare<[], number>('int LZ4_versionNumber()');
    });
    expect(codec()()).toBeGreaterThan(10_000);
    codec();
    expect(times).toBe(1);
  });
});
