import { parentPort } from 'node:worker_threads';
import { errorCode } from '../../linux/errno';
import { makeRealtime, THIS_THREAD } from '../../linux/realtime';
import { Engine } from '../engine';
import type { ImageAttachment } from '../layer-server';
import type { EngineCalls, EngineMessage, EngineRequest, EngineState, TransferredError } from './messages';

/** The thread that serves /dev/fuse: an engine, driven by messages from the main thread. */
const port = parentPort;
if (port === null) throw new Error('this file runs as a worker thread');
const send = (message: EngineMessage): void => port.postMessage(message);

let engine: Engine | undefined;

function running(): Engine {
  if (engine === undefined) throw new Error('the engine is not running');
  return engine;
}

function state(): EngineState {
  const { passthrough, takenOver, ishareMount, openFiles, backingIds } = running();
  return {
    passthrough,
    takenOver,
    ishareMount,
    openFiles,
    backingIds,
    requests: running().requestCounts(),
    slowRequests: running().slowRequests(),
  };
}

/** Without it requests are answered all the same, later where the processors are busy. */
function runBeforeOthers(): void {
  try {
    makeRealtime(THIS_THREAD);
  } catch (error) {
    if (errorCode(error) !== 'EPERM') throw error;
    const reason = (error as Error).message;
    send({
      kind: 'log',
      level: 'info',
      message: 'requests wait for their turn with other programs',
      details: { reason },
    });
  }
}

async function call(request: EngineRequest): Promise<EngineCalls[EngineRequest['name']]['result']> {
  switch (request.name) {
    case 'start':
      if (request.argument.realtime) runBeforeOthers();
      engine = await Engine.start(request.argument, {
        log: (level, message, details) => send({ kind: 'log', level, message, details }),
        onLost: (error) => send({ kind: 'lost', error: transferred(error) }),
        onDamage: (imagePath, problem) => send({ kind: 'damage', imagePath, problem }),
      });
      return state();
    case 'attach':
      await running().attach(withBuffer(request.argument));
      return undefined;
    case 'attachMerged':
      await running().attachMerged(withBuffer(request.argument));
      return undefined;
    case 'detach':
      await running().detach(request.argument);
      return undefined;
    case 'learn':
      running().learn(request.argument);
      return undefined;
    case 'attachedImages':
      return running().attachedImages();
    case 'measure':
      return running().measure();
    case 'filesOf':
      return running().filesOf(request.argument);
    case 'explain':
      return running().explain(request.argument.attachmentId, request.argument.nid);
    case 'state':
      return state();
    case 'resume':
      await running().resume();
      return undefined;
    case 'leave':
      await running().leave();
      engine = undefined;
      return undefined;
    case 'stop':
      await engine?.[Symbol.asyncDispose]();
      engine = undefined;
      return undefined;
  }
}

send({ kind: 'loaded' });
port.on('message', (request: EngineRequest) => {
  call(request).then(
    (value) => {
      send({ kind: 'result', id: request.id, value });
      // With nothing left to listen to the thread ends by itself.
      if (request.name === 'stop' || request.name === 'leave') port.close();
    },
    (error: unknown) => {
      send({ kind: 'error', id: request.id, error: transferred(error) });
    },
  );
});

/** Structured clone turns a Buffer into a bare Uint8Array. */
function withBuffer<Image extends ImageAttachment>(image: Image): Image {
  const { domain } = image;
  return domain === undefined
    ? image
    : { ...image, domain: { ...domain, secret: Buffer.from(domain.secret) } };
}

function transferred(error: unknown): TransferredError {
  const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
  return { name, message, code: errorCode(error), stack };
}
