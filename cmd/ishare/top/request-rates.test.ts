import type { StatusResponse } from '../../../proto/admin-messages';
import { requestRates } from './request-rates';

function status(uptime: number, requests: number, pid = 1): StatusResponse {
  return {
    ...{ pid, uptime_seconds: uptime },
    images_requests: { LOOKUP: requests, READ: requests },
    ishare_requests: { READ: requests },
  } as unknown as StatusResponse;
}

test('rates are requests between two answers by the time between them', () => {
  expect(requestRates(status(14, 30), status(10, 10))).toEqual({ images: '10.0', ishare: '5.0' });
  expect(requestRates(status(14, 10), status(10, 10))).toEqual({ images: '0.0', ishare: '0.0' });
});

test('without an answer before it, or one of another daemon, nothing is known', () => {
  const unknown = { images: '-', ishare: '-' };
  expect(requestRates(status(14, 30), undefined)).toEqual(unknown);
  expect(requestRates(status(14, 30), status(10, 10, 2))).toEqual(unknown);
  expect(requestRates(status(10, 10), status(10, 10))).toEqual(unknown);
});
