/** A service as protoc-gen-es would have generated it, and a Connect server that answers it. */
import { create, type Message, toBinary } from '@bufbuild/protobuf'
import { fileDesc, type GenMessage, messageDesc, serviceDesc } from '@bufbuild/protobuf/codegenv2'
import { base64Encode } from '@bufbuild/protobuf/wire'
import {
  FileDescriptorProtoSchema,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
} from '@bufbuild/protobuf/wkt'
import { Code, ConnectError, createConnectRouter } from '@connectrpc/connect'
import { createFetchHandler } from '@connectrpc/connect/protocol'
import { forbidden, LINES, type Routes, type Signals } from './world.ts'

type ItemRequest = Message<'demo.ItemRequest'> & { id: string }
type Item = Message<'demo.Item'> & { id: string; name: string }
type Text = Message<'demo.Text'> & { text: string }
type Method<Input extends Message, Output extends Message, Kind = 'unary'> = {
  methodKind: Kind
  input: GenMessage<Input>
  output: GenMessage<Output>
}

const strings = (name: string, ...fields: string[]) => ({
  name,
  field: fields.map((field, index) => ({
    ...{ name: field, jsonName: field, number: index + 1 },
    ...{ type: Type.STRING, label: Label.OPTIONAL },
  })),
})
const method = (name: string, inputType: string, outputType: string, serverStreaming = false) => ({
  ...{ name, serverStreaming },
  ...{ inputType: `.demo.${inputType}`, outputType: `.demo.${outputType}` },
})

const file = fileDesc(
  base64Encode(
    toBinary(
      FileDescriptorProtoSchema,
      create(FileDescriptorProtoSchema, {
        ...{ name: 'demo.proto', package: 'demo', syntax: 'proto3' },
        messageType: [strings('ItemRequest', 'id'), strings('Item', 'id', 'name'), strings('Text', 'text')],
        service: [
          {
            name: 'Demo',
            method: [
              method('Item', 'ItemRequest', 'Item'),
              method('Send', 'Text', 'Text'),
              method('Reports', 'Text', 'Text'),
              method('Lines', 'Text', 'Text', true),
              method('Audit', 'Text', 'Text', true),
            ],
          },
        ],
      }),
    ),
  ),
)

export const ItemRequestSchema = messageDesc<ItemRequest>(file, 0)
export const ItemSchema = messageDesc<Item>(file, 1)
export const TextSchema = messageDesc<Text>(file, 2)
export const Demo = serviceDesc<{
  item: Method<ItemRequest, Item>
  send: Method<Text, Text>
  reports: Method<Text, Text>
  lines: Method<Text, Text, 'server_streaming'>
  audit: Method<Text, Text, 'server_streaming'>
}>(file, 0)

export function connectRoutes({ expire, partSeen }: Signals): Routes {
  const refusal = () =>
    new ConnectError('This takes reports:read', Code.PermissionDenied, {
      'www-authenticate': forbidden().headers.get('www-authenticate') ?? '',
    })
  const router = createConnectRouter().service(Demo, {
    item: ({ id }) => ({ id, name: `Item ${id}` }),
    send: ({ text }) => ({ text }),
    reports() {
      throw refusal()
    },
    async *lines() {
      const isSeen = partSeen()
      for (const text of LINES) {
        yield { text }
        await isSeen
      }
      expire()
    },
    // biome-ignore lint/correctness/useYield: it is refused before it says anything
    async *audit() {
      throw refusal()
    },
  })
  return Object.fromEntries(
    router.handlers.map((handler) => {
      const answer = createFetchHandler(handler)
      return [`POST ${handler.requestPath}`, (request: Request) => answer(request)]
    }),
  )
}
