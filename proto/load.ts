import { join } from 'node:path';
import {
  type GrpcObject,
  type ServiceClientConstructor,
  type ServiceDefinition,
  type UntypedServiceImplementation,
  loadPackageDefinition,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

/**
 * How messages look in JavaScript, for every .proto file of this folder: fields keep their names, 64-bit integers
 * are numbers (sizes, counts and seconds stay below 2^53), enums are numbers, absent fields have their default.
 */
const MESSAGE_SHAPE = { keepCase: true, longs: Number, defaults: true, oneofs: true };

/**
 * The service `name` (with its package) from a file of this folder. The .proto files lie beside the compiled
 * JavaScript; a missing file or service is a broken installation and throws.
 */
export function loadService<Handlers extends UntypedServiceImplementation>(
  file: string,
  name: string,
): ServiceDefinition<Handlers> {
  return loadClient(file, name).service as ServiceDefinition<Handlers>;
}

/** The constructor of a client for the service `name`, from a file of this folder. */
export function loadClient(file: string, name: string): ServiceClientConstructor {
  let found: GrpcObject | GrpcObject[string] = loadPackageDefinition(
    loadSync(file, { ...MESSAGE_SHAPE, includeDirs: [__dirname] }),
  );
  for (const part of name.split('.')) {
    const next: GrpcObject[string] | undefined = isNamespace(found) ? found[part] : undefined;
    if (next === undefined) throw new Error(`${join(__dirname, file)} defines no ${name}`);
    found = next;
  }
  if (typeof found !== 'function') throw new Error(`${name} in ${join(__dirname, file)} is no service`);
  return found;
}

function isNamespace(value: GrpcObject | GrpcObject[string]): value is GrpcObject {
  return typeof value === 'object' && !('format' in value && typeof value.format === 'string');
}
