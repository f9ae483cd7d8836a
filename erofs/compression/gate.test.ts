import { setTimeout } from 'node:timers/promises';
import { Gate } from './gate';

describe('a gate', () => {
  it('lets no more through at a time than it is wide, in order', async () => {
    const gate = new Gate(3);
    let inside = 0;
    let most = 0;
    const order: number[] = [];
    const visit = (index: number): Promise<number> =>
      gate.run(async () => {
        order.push(index);
        most = Math.max(most, ++inside);
        await setTimeout(index % 3);
        inside--;
        return index;
      });
    const visits = Array.from({ length: 20 }, (_, index) => index);
    expect(await Promise.all(visits.map(visit))).toEqual(visits);
    expect(most).toBe(3);
    expect(order).toEqual(visits);
  });

  it('is free again after a failure', async () => {
    const gate = new Gate(1);
    await expect(gate.run(() => Promise.reject(new Error('failed')))).rejects.toThrow('failed');
    expect(await gate.run(() => Promise.resolve('next'))).toBe('next');
  });
});
