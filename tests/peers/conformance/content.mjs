// What both reference servers offer and what they answer with, so that the two eras differ in protocol only.
// Names and answers are those that the scenarios of the official conformance suite ask for.

/** A red square of one pixel. */
const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC';
/** A sound without a single sample. */
const WAV = 'UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=';

export const text = (value) => ({ content: [{ type: 'text', text: value }] });
export const failure = (value) => ({ ...text(value), isError: true });
export const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** A schema of an object with these properties, all of them required. */
export const object = (properties = {}) => ({ type: 'object', properties, required: Object.keys(properties) });
export const STRING = { type: 'string' };

const image = { type: 'image', data: PNG, mimeType: 'image/png' };
const embedded = (uri, mimeType, value) => ({ type: 'resource', resource: { uri, mimeType, text: value } });

/** Tools whose answer never changes. */
export const FIXED_TOOLS = {
  test_simple_text: text('This is a simple text response for testing.'),
  test_image_content: { content: [image] },
  test_audio_content: { content: [{ type: 'audio', data: WAV, mimeType: 'audio/wav' }] },
  test_embedded_resource: { content: [embedded('test://embedded-resource', 'text/plain', 'This is an embedded resource content.')] },
  test_multiple_content_types: {
    content: [
      { type: 'text', text: 'Multiple content types test:' },
      image,
      embedded('test://mixed-content-resource', 'application/json', JSON.stringify({ test: 'data', value: 123 })),
    ],
  },
  test_error_handling: failure('This tool intentionally returns an error for testing'),
};

/** A tool whose schema uses what JSON Schema 2020-12 has and earlier drafts have not. */
export const SCHEMA_TOOL = {
  name: 'json_schema_2020_12_tool',
  description: 'Takes an address under a schema of many keywords',
  inputSchema: {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    type: 'object',
    $defs: { address: { $anchor: 'addressDef', type: 'object', properties: { street: STRING, city: STRING } } },
    properties: {
      name: STRING,
      address: { $ref: '#/$defs/address' },
      contactMethod: { type: 'string', enum: ['phone', 'email'] },
      phone: STRING,
      email: STRING,
    },
    allOf: [{ anyOf: [{ required: ['phone'] }, { required: ['email'] }] }],
    if: { properties: { contactMethod: { const: 'phone' } }, required: ['contactMethod'] },
    then: { required: ['phone'] },
    else: { required: ['email'] },
    additionalProperties: false,
  },
};

const RESOURCES = {
  'test://static-text': { name: 'static-text', mimeType: 'text/plain', text: 'This is the content of the static text resource.' },
  'test://static-binary': { name: 'static-binary', mimeType: 'image/png', blob: PNG },
  'test://watched-resource': { name: 'watched-resource', mimeType: 'text/plain', text: 'A resource to subscribe to.' },
};
export const TEMPLATE = { uriTemplate: 'test://template/{id}/data', name: 'template', mimeType: 'application/json' };

export const resources = Object.entries(RESOURCES).map(([uri, { name, mimeType }]) => ({ uri, name, mimeType, description: `The resource ${name}` }));

/** The contents of `uri`; undefined when there is no such resource. */
export function read(uri) {
  const id = /^test:\/\/template\/([^/]+)\/data$/.exec(uri)?.[1];
  if (id) return { contents: [{ uri, mimeType: TEMPLATE.mimeType, text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }) }] };
  if (!Object.hasOwn(RESOURCES, uri)) return undefined;
  const { name: _, ...contents } = RESOURCES[uri];
  return { contents: [{ uri, ...contents }] };
}

const said = (...contents) => ({ messages: contents.map((content) => ({ role: 'user', content })) });
const words = (value) => ({ type: 'text', text: value });

/** Prompts: the names of their arguments, all required, and what they become. */
export const PROMPTS = {
  test_simple_prompt: { arguments: [], get: () => said(words('This is a simple prompt for testing.')) },
  test_prompt_with_arguments: {
    arguments: ['arg1', 'arg2'],
    get: ({ arg1, arg2 }) => said(words(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`)),
  },
  test_prompt_with_embedded_resource: {
    arguments: ['resourceUri'],
    get: ({ resourceUri }) =>
      said(embedded(resourceUri, 'text/plain', 'Embedded resource content for testing.'), words('Please process the embedded resource above.')),
  },
  test_prompt_with_image: { arguments: [], get: () => said(image, words('Please analyze the image above.')) },
};

/** Calls `notify(progress, total)` three times, with time between. */
export async function inSteps(notify) {
  for (const progress of [0, 50, 100]) {
    if (progress > 0) await pause(50);
    await notify(progress, 100);
  }
}
