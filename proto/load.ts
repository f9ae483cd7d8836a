import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  makeClientConstructor,
  type MethodDefinition,
  type ServiceClientConstructor,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { Root, type INamespace, type Method, type Type } from 'protobufjs/light';

/**
 * How messages look in JavaScript: fields keep their names, 64-bit integers are numbers (sizes, counts and seconds stay below
 * 2^53), enums are numbers, absent fields have their default.
 */
const MESSAGE_SHAPE = { longs: Number, defaults: true, oneofs: true } as const;

/**
 * What a .proto file of this folder defines. The build parses them, and lays the outcome beside the compiled JavaScript, since
 * parsing would take a good part of the start; a missing file is a broken installation and throws.
 */
export function loadDefinitions(file: string): Root {
  const parsed = join(__dirname, file.replace(/\.proto$/, '.json'));
  const root = Root.fromJSON(JSON.parse(readFileSync(parsed, 'utf8')) as INamespace);
  root.resolveAll();
  return root;
}

/** The service `name` (with its package) from a file of this folder. Throws where there is none. */
export function loadService<Handlers extends UntypedServiceImplementation>(
  file: string,
  name: string,
): ServiceDefinition<Handlers> {
  const { methodsArray } = loadDefinitions(file).lookupService(name);
  const service = Object.fromEntries(methodsArray.map((method) => [method.name, definitionOf(name, method)]));
  return service as ServiceDefinition<Handlers>;
}

/** The constructor of a client for the service `name`, from a file of this folder. */
export function loadClient(file: string, name: string): ServiceClientConstructor {
  return makeClientConstructor(loadService(file, name), name);
}

function definitionOf(service: string, method: Method): MethodDefinition<object, object> {
  const { name, resolvedRequestType: request, resolvedResponseType: response } = method;
  if (request === null || response === null) throw new Error(`${service}.${name} has no types`);
  return {
    path: `/${service}/${name}`,
    requestStream: method.requestStream === true,
    responseStream: method.responseStream === true,
    requestSerialize: serializer(request),
    requestDeserialize: deserializer(request),
    responseSerialize: serializer(response),
    responseDeserialize: deserializer(response),
    // Handlers and clients call their methods so.
    originalName: name.slice(0, 1).toLowerCase() + name.slice(1),
  };
}

function serializer(type: Type): (message: object) => Buffer {
  // In Node its writer makes Buffers.
  return (message) => type.encode(type.fromObject(message)).finish() as Buffer;
}

function deserializer(type: Type): (bytes: Buffer) => object {
  return (bytes) => type.toObject(type.decode(bytes), MESSAGE_SHAPE);
}
