import { findAll } from './mutation/find.ts'
import { STREAM_BUGS } from './mutation/mutations.ts'

findAll(STREAM_BUGS)
