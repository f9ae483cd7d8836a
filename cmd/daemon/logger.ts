import { inspect } from 'node:util';
import { createLogger, format, transports, type Logger } from 'winston';
import { visibleText } from '../visible-text';

/** Lines for people on a terminal, JSON for collectors otherwise. Both go to standard error. */
export function makeLogger(level: string): Logger {
  return createLogger({
    level,
    format: process.stderr.isTTY ? humanFormat() : machineFormat(),
    // winston types its transports as interfaces beside the class that it demands here.
    // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment
    transports: [new transports.Console({ stderrLevels: ['error', 'warn', 'info', 'debug'] })],
  });
}

type Format = Logger['format'];

/** `12:34:56.789 warn message key=value`, in colours. */
export function humanFormat(): Format {
  return format.combine(
    errorsAsText(),
    format.colorize(),
    format.timestamp({ format: 'HH:mm:ss.SSS' }),
    format.printf(({ timestamp, level: shown, message, ...details }) => {
      const words = Object.entries(details).map(([key, value]) => `${key}=${inline(value)}`);
      return [String(timestamp), shown, visibleText(String(message)), ...words].join(' ');
    }),
  );
}

/** One JSON object a line. */
export function machineFormat(): Format {
  return format.combine(errorsAsText(), format.timestamp(), format.json());
}

/** JSON knows no errors and would write `{}`. At level `error` it is this program's fault, so the stack comes too. */
const errorsAsText = format((info) => {
  const withStack = info.level === 'error';
  for (const [key, value] of Object.entries(info)) {
    if (value instanceof Error) info[key] = withStack ? inspect(value) : messages(value);
  }
  return info;
});

/** The message with those of its causes. */
function messages(error: Error): string {
  const { message, cause } = error;
  if (!(cause instanceof Error) || message.includes(cause.message)) return message;
  return `${message}: ${messages(cause)}`;
}

function inline(value: unknown): string {
  if (typeof value === 'string' && /^[^\s"=]+$/.test(value)) return visibleText(value);
  return visibleText(
    JSON.stringify(value, (_key, part: unknown) => (typeof part === 'bigint' ? String(part) : part)),
  );
}
