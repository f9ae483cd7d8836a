import { Command } from 'commander';
import type { ImageState } from '../../proto/admin-messages';
import { formatBytes, formatTable, print, printJson, type Column } from './output';
import { askDaemon, withDaemonOptions, type DaemonOptions } from './shared-options';

const columns: readonly Column<ImageState>[] = [
  { title: 'IMAGE', value: ({ name }) => name },
  { title: 'SIZE', align: 'right', value: ({ size }) => formatBytes(size) },
  { title: 'INODES', align: 'right', value: ({ inodes }) => String(inodes) },
  { title: 'SHARED FILES', align: 'right', value: ({ shared_files }) => String(shared_files) },
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
        else if (response.images.length > 0) print(formatTable(columns, response.images));
        else print('No images: containerd has not unpacked any through this snapshotter.');
      },
    ),
  );
  return images;
}
