import { findAll } from './mutation/find.ts'
import { NAMED_BUGS } from './mutation/mutations.ts'

findAll(NAMED_BUGS)
