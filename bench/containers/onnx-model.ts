/**
 * An ONNX model that squares a 64 x 64 matrix: `b = MatMul(a, a)`. Written field by field (onnx.proto, IR version 8), since a
 * model of one operator is less than a library that would write it.
 */
export function matrixModel(): Buffer {
  const shape = message(field(1, message(number(1, SIDE))), field(1, message(number(1, SIDE))));
  const matrix = (name: string): Buffer => {
    const tensor = message(number(1, FLOAT), field(2, shape));
    return message(text(1, name), field(2, message(field(1, tensor))));
  };
  const node = message(text(1, 'a'), text(1, 'a'), text(2, 'b'), text(4, 'MatMul'));
  const graph = message(field(1, node), text(2, 'square'), field(11, matrix('a')), field(12, matrix('b')));
  const operators = message(text(1, ''), number(2, OPERATOR_SET));
  return message(number(1, IR_VERSION), field(7, graph), field(8, operators));
}

const SIDE = 64;
/** TensorProto.DataType.FLOAT. */
const FLOAT = 1;
const IR_VERSION = 8;
const OPERATOR_SET = 13;

/** Wire types of protobuf. */
const VARINT = 0;
const LENGTH = 2;

function message(...fields: readonly Buffer[]): Buffer {
  return Buffer.concat(fields);
}

function field(id: number, content: Buffer): Buffer {
  return Buffer.concat([varint((id << 3) | LENGTH), varint(content.length), content]);
}

function text(id: number, value: string): Buffer {
  return field(id, Buffer.from(value));
}

function number(id: number, value: number): Buffer {
  return Buffer.concat([varint((id << 3) | VARINT), varint(value)]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (; value >= 0x80; value = Math.floor(value / 0x80)) bytes.push((value % 0x80) | 0x80);
  return Buffer.from([...bytes, value]);
}
