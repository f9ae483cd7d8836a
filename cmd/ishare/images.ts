import { Command } from 'commander';
import type { ImageState } from '../../proto/admin-messages';
import { visibleText } from '../visible-text';
import { imagesVerifyCommand } from './images-verify';
import { formatBytes, formatTable, print, printJson, type Column } from './output';
import { askDaemon, withDaemonOptions, type DaemonOptions } from './shared-options';

export const imageColumns: readonly Column<ImageState>[] = [
  { title: 'IMAGE', value: ({ name }) => name },
  { title: 'SIZE', align: 'right', value: ({ size }) => formatBytes(size) },
  { title: 'INODES', align: 'right', value: ({ inodes }) => String(inodes) },
  { title: 'STATE', value: ({ state }) => state },
  { title: 'SHARED FILES', align: 'right', value: ({ shared_files }) => String(shared_files) },
  { title: 'CACHED', align: 'right', value: ({ cached_bytes }) => formatBytes(cached_bytes) },
  { title: 'SAVED', align: 'right', value: ({ saved_bytes }) => formatBytes(saved_bytes) },
  {
    title: 'ATTACHED IN',
    value: ({ attached_in }) => attached_in.map((name) => name || '(no domain)').join(', ') || '-',
  },
];

export function imagesCommand(): Command {
  const images = new Command('images')
    .description('committed layers, each one EROFS image')
    .showHelpAfterError();
  images.addCommand(
    withDaemonOptions(new Command('ls').description('images with the domains they are attached in')).action(
      async (options: DaemonOptions) => {
        const response = await askDaemon(options, (daemon) =>
          daemon.call<{ images: ImageState[] }>((client, ...rest) => client.ListImages({}, ...rest)),
        );
        if (options.json) printJson(response.images);
        else if (response.images.length > 0) print(describe(response.images));
        else print('No images: containerd has not unpacked any through this snapshotter.');
      },
    ),
  );
  return images.addCommand(imagesVerifyCommand());
}

/** The table, and below it what is wrong. */
function describe(images: readonly ImageState[]): string {
  const reasons = images
    .filter(({ reason }) => reason !== '')
    .map(({ name, state, reason }) => `${visibleText(name)} is ${state}: ${visibleText(reason)}`);
  return [formatTable(imageColumns, images), ...reasons].join('\n');
}
