// What `wasmtime serve` runs in the benchmark: it answers the request's body, as the no-ops of the project answer their input.
// By hand and without a library, so that it costs as little as a component of wasi:http can.

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

#define STREAMS "wasi:io/streams@0.2.0"
#define TYPES "wasi:http/types@0.2.0"
#define IMPORT(module, name) __attribute__((import_module(module), import_name(name))) extern

// A result whose payload is a handle, a list or an error.
struct answer {
    u32 is_error;
    u32 first;
    u32 second;
    u32 rest[8];
};

IMPORT(TYPES, "[method]incoming-request.consume") void consume(u32 request, struct answer *answer);
IMPORT(TYPES, "[method]incoming-body.stream") void incoming_stream(u32 body, struct answer *answer);
IMPORT(STREAMS, "[method]input-stream.blocking-read") void read_some(u32 stream, u64 length, struct answer *answer);
IMPORT(STREAMS, "[resource-drop]input-stream") void drop_input(u32 stream);
IMPORT(TYPES, "[resource-drop]incoming-body") void drop_body(u32 body);
IMPORT(TYPES, "[resource-drop]incoming-request") void drop_request(u32 request);
IMPORT(TYPES, "[constructor]fields") u32 new_fields(void);
IMPORT(TYPES, "[constructor]outgoing-response") u32 new_response(u32 fields);
IMPORT(TYPES, "[method]outgoing-response.body") void response_body(u32 response, struct answer *answer);
IMPORT(TYPES, "[static]response-outparam.set")
void set_response(u32 out, u32 is_error, u32 response, u32 a, u64 b, u32 c, u32 d, u32 e, u32 f);
IMPORT(TYPES, "[method]outgoing-body.write") void body_stream(u32 body, struct answer *answer);
IMPORT(STREAMS, "[method]output-stream.blocking-write-and-flush")
void write_all(u32 stream, const u8 *bytes, u32 length, struct answer *answer);
IMPORT(STREAMS, "[resource-drop]output-stream") void drop_output(u32 stream);
IMPORT(TYPES, "[static]outgoing-body.finish") void finish(u32 body, u32 has_trailers, u32 trailers, struct answer *answer);

static u8 memory[65536];
static u32 used;

// Nothing is given back: an instance serves one request.
__attribute__((export_name("cabi_realloc"))) u8 *cabi_realloc(u8 *old, u32 old_size, u32 align, u32 size)
{
    (void)old, (void)old_size;
    used = (used + align - 1) & ~(align - 1);
    if (size > sizeof memory - used) __builtin_trap();
    u8 *place = memory + used;
    used += size;
    return place;
}

static u32 payload(const struct answer *answer)
{
    if (answer->is_error & 0xff) __builtin_trap();
    return answer->first;
}

__attribute__((export_name("wasi:http/incoming-handler@0.2.0#handle"))) void handle(u32 request, u32 out)
{
    static u8 bytes[4096];
    u32 length = 0;
    struct answer answer;
    consume(request, &answer);
    u32 body = payload(&answer);
    incoming_stream(body, &answer);
    u32 input = payload(&answer);
    for (;;) {
        read_some(input, sizeof bytes, &answer);
        if (answer.is_error & 0xff) break;
        if (answer.second > sizeof bytes - length) __builtin_trap();
        for (u32 at = 0; at < answer.second; at++) bytes[length++] = ((const u8 *)answer.first)[at];
    }
    drop_input(input);
    drop_body(body);
    drop_request(request);
    u32 response = new_response(new_fields());
    response_body(response, &answer);
    u32 answered = payload(&answer);
    set_response(out, 0, response, 0, 0, 0, 0, 0, 0);
    body_stream(answered, &answer);
    u32 output = payload(&answer);
    write_all(output, bytes, length, &answer);
    payload(&answer);
    drop_output(output);
    finish(answered, 0, 0, &answer);
    payload(&answer);
}
