import { holdSeeds } from './check/hold.ts'

holdSeeds('cluster', [], 'network')
