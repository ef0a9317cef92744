import { findAll } from './mutation/find.ts'
import { LEADER_BUGS } from './mutation/mutations.ts'

findAll(LEADER_BUGS)
