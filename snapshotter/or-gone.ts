import { errorCode } from '../linux/errno';

/** What a file system call gives, or `absent` where the file is not there, or no longer. */
export async function orGone<Value, Absent>(value: Promise<Value>, absent: Absent): Promise<Value | Absent> {
  try {
    return await value;
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return absent;
    throw error;
  }
}
