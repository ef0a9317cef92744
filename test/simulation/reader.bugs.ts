import { findAll } from './mutation/find.ts'
import { READER_BUGS } from './mutation/mutations.ts'

findAll(READER_BUGS)
