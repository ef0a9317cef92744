import { findAll } from './mutation/find.ts'
import { CLUSTER_BUGS } from './mutation/mutations.ts'

findAll(CLUSTER_BUGS)
