import type { AdminHandlers } from '../../proto/admin';
import { dropCache } from './cache-drop';
import { warmCache } from './cache-warming';
import type { AdminContext } from './context';
import { rotateDomain, showDomain } from './domains';
import { explain } from './explanation';
import { answering, streaming } from './handlers';
import { showInode } from './inodes';
import { listDomains, listImages, listInodes, overview, status } from './overview';
import { ImageVerification } from './verification';

/** Answers the `ishare` command. */
export function adminHandlers(context: AdminContext): AdminHandlers {
  const { log, sources } = context;
  const verification = new ImageVerification(context);
  return {
    Status: answering(log, () => status(context)),
    Overview: answering(log, (request) => overview(context, request)),
    ListDomains: answering(log, () => listDomains(context)),
    ShowDomain: answering(log, (request) => showDomain(context, request)),
    RotateDomain: answering(log, (request) => rotateDomain(context, request)),
    ListInodes: answering(log, (request) => listInodes(context, request)),
    ShowInode: answering(log, (request) => showInode(context, request)),
    ListImages: answering(log, () => listImages(context)),
    VerifyImages: streaming(log, (request, send, signal) => verification.verify(request, send, signal)),
    Explain: answering(log, (request) => explain(context, request)),
    DropCache: answering(log, (request) => dropCache(context, request)),
    WarmCache: streaming(log, (request, send, signal) => warmCache(context, request, send, signal)),
    ReloadConfig: answering(log, async () => ({ waiting_for_restart: await sources.reload() })),
  };
}
