/** @file Forget the macros of one reading of messages.def. No guard: it is included after each. */
#undef MSG
#undef END_MSG
#undef U32
#undef U64
#undef I32
#undef BOOL
#undef TEXT
#undef BYTES
#undef ULID
#undef KEY
#undef SUB
#undef LIST
#undef METHOD
