import { matrixModel } from './onnx-model';

test('the model is protobuf from end to end: a version, a graph and an operator set', () => {
  const model = matrixModel();
  const fields: number[] = [];
  for (let offset = 0; offset < model.length;) {
    const key = model.readUInt8(offset++);
    fields.push(key >> 3);
    let length = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = model.readUInt8(offset++);
      length |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    if ((key & 7) === 2) offset += length;
    expect(offset).toBeLessThanOrEqual(model.length);
  }
  expect(fields).toEqual([1, 7, 8]);
});
