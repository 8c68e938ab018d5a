//! The methods of `polarway.v1.PolarwayService`: their paths, requests and responses.

use crate::transport::Framed;
use crate::v1;

/// The service's name in health and reflection.
pub const SERVICE: &str = "polarway.v1.PolarwayService";

/// A method as a type, so that its path is only used with its own messages.
pub trait Rpc {
    /// What a caller sends: one message, or many where [`Method::is_upload`] says so.
    type Request: Framed;
    /// What the server answers with.
    type Response: Framed;
    /// The method's value.
    const METHOD: Method;
}

/// Makes the enum, the types and the paths from one table, so that no method lacks one of them.
macro_rules! methods {
    ($($method:ident: $request:ident => $response:ident;)*) => {
        /// A method of the service.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Method {
            $(#[doc = concat!("`", stringify!($method), "`")] $method,)*
        }

        impl Method {
            /// Every method.
            pub const ALL: &[Self] = &[$(Self::$method),*];

            /// Its name in the protocol.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$method => stringify!($method),)*
                }
            }

            /// The path of its requests.
            pub fn path(self) -> &'static str {
                match self {
                    $(Self::$method => concat!("/polarway.v1.PolarwayService/", stringify!($method)),)*
                }
            }

            /// The method with this path.
            pub fn of_path(path: &str) -> Option<Self> {
                match path.strip_prefix("/polarway.v1.PolarwayService/")? {
                    $(stringify!($method) => Some(Self::$method),)*
                    _ => None,
                }
            }
        }

        /// Each method as a type.
        pub mod rpc {
            $(
                #[doc = concat!("[`", stringify!($method), "`](super::Method::", stringify!($method), ")")]
                #[derive(Clone, Copy, Debug)]
                pub struct $method;

                impl super::Rpc for $method {
                    type Request = super::v1::$request;
                    type Response = super::v1::$response;
                    const METHOD: super::Method = super::Method::$method;
                }
            )*
        }
    };
}

methods! {
    Store: StoreRequest => StoreResponse;
    Load: LoadRequest => LoadResponse;
    Query: QueryRequest => QueryResponse;
    CreateHandle: CreateHandleRequest => CreateHandleResponse;
    GetHandle: GetHandleRequest => GetHandleResponse;
    ListHandles: ListHandlesRequest => ListHandlesResponse;
    ExtendHandle: ExtendHandleRequest => ExtendHandleResponse;
    DropHandle: DropHandleRequest => DropHandleResponse;
    ListDatasets: ListDatasetsRequest => ListDatasetsResponse;
    GetDataset: GetDatasetRequest => GetDatasetResponse;
    ListVersions: ListVersionsRequest => ListVersionsResponse;
    DeleteDataset: DeleteDatasetRequest => DeleteDatasetResponse;
    ListQueries: ListQueriesRequest => ListQueriesResponse;
    CancelQuery: CancelQueryRequest => CancelQueryResponse;
    GetCacheStats: GetCacheStatsRequest => GetCacheStatsResponse;
    GetServerInfo: GetServerInfoRequest => GetServerInfoResponse;
}

impl Method {
    /// Whether its request is a stream of messages, which may take long.
    pub fn is_upload(self) -> bool {
        self == Self::Store
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use prost_types::FileDescriptorSet;

    use super::*;

    #[test]
    fn the_methods_are_those_of_the_protocol() {
        let files = FileDescriptorSet::decode(crate::FILE_DESCRIPTOR_SET).unwrap().file;
        let [(package, service)] = &files
            .iter()
            .flat_map(|file| file.service.iter().map(|service| (file.package().to_owned(), service)))
            .collect::<Vec<_>>()[..]
        else {
            panic!("the protocol has one service")
        };
        assert_eq!(format!("{package}.{}", service.name()), SERVICE);
        assert_eq!(service.method.len(), Method::ALL.len());
        for (defined, method) in service.method.iter().zip(Method::ALL) {
            assert_eq!(defined.name(), method.name(), "in the order of the protocol");
            assert_eq!(method.path(), format!("/{SERVICE}/{}", defined.name()));
            assert_eq!(defined.client_streaming(), method.is_upload(), "{method:?}");
        }
    }

    #[test]
    fn a_method_is_found_by_its_path_and_by_no_other() {
        for method in Method::ALL {
            assert_eq!(Method::of_path(method.path()), Some(*method));
            assert_eq!(Method::of_path(&format!("{}/", method.path())), None);
            assert_eq!(Method::of_path(method.name()), None);
        }
        for path in ["", "/", "/polarway.v1.PolarwayService/", "/polarway.v2.PolarwayService/Load"] {
            assert_eq!(Method::of_path(path), None, "{path}");
        }
    }

    #[test]
    fn a_method_takes_and_answers_with_what_the_protocol_says() {
        fn messages<R: Rpc>(_: R) -> (Method, [&'static str; 2]) {
            let names = [std::any::type_name::<R::Request>(), std::any::type_name::<R::Response>()];
            (R::METHOD, names)
        }
        let files = FileDescriptorSet::decode(crate::FILE_DESCRIPTOR_SET).unwrap().file;
        let defined: Vec<_> =
            files.iter().flat_map(|file| &file.service).flat_map(|service| &service.method).collect();
        // The types of all other methods follow the same table.
        for (method, names) in
            [messages(rpc::Store), messages(rpc::CreateHandle), messages(rpc::GetServerInfo)]
        {
            let defined = defined.iter().find(|defined| defined.name() == method.name()).unwrap();
            for (name, defined) in names.iter().zip([defined.input_type(), defined.output_type()]) {
                assert_eq!(name.rsplit("::").next(), defined.rsplit('.').next());
            }
        }
    }
}
