package wire

// Service is the name of Polarway's service.
const Service = "polarway.v1.PolarwayService"

// The paths of the service's methods.
const (
	Store         = "/" + Service + "/Store"
	Load          = "/" + Service + "/Load"
	Query         = "/" + Service + "/Query"
	CreateHandle  = "/" + Service + "/CreateHandle"
	GetHandle     = "/" + Service + "/GetHandle"
	ListHandles   = "/" + Service + "/ListHandles"
	ExtendHandle  = "/" + Service + "/ExtendHandle"
	DropHandle    = "/" + Service + "/DropHandle"
	ListDatasets  = "/" + Service + "/ListDatasets"
	GetDataset    = "/" + Service + "/GetDataset"
	ListVersions  = "/" + Service + "/ListVersions"
	DeleteDataset = "/" + Service + "/DeleteDataset"
	ListQueries   = "/" + Service + "/ListQueries"
	CancelQuery   = "/" + Service + "/CancelQuery"
	GetCacheStats = "/" + Service + "/GetCacheStats"
	GetServerInfo = "/" + Service + "/GetServerInfo"
)
