//! `santokit:crud`: requests to tables. It counts rows and bytes, and says which transaction of the guest's is meant. What the tables
//! say to them is the host's matter.

use santokit_core::access::table::Verb;
use wasmtime::component::Resource;

use crate::{
    bindings::santokit::crud::crud::{Answer, Error, Host as Crud, Problem},
    host::{CrudAsked, CrudError, CrudRequest, Host},
    state::{State, TransactionHandle},
};

type Answered = wasmtime::Result<Result<Answer, Error>>;
type Within = Option<Resource<TransactionHandle>>;

/// The largest name that is looked up.
const TABLE_BYTES_MAX: usize = 200;

impl<H: Host> Crud for State<H> {
    async fn select(&mut self, table: String, params: Vec<u8>, within: Within) -> Answered {
        self.ask(CrudAsked::Table(Verb::Select, table), params, within).await
    }

    async fn insert(&mut self, table: String, params: Vec<u8>, within: Within) -> Answered {
        self.ask(CrudAsked::Table(Verb::Insert, table), params, within).await
    }

    async fn update(&mut self, table: String, params: Vec<u8>, within: Within) -> Answered {
        self.ask(CrudAsked::Table(Verb::Update, table), params, within).await
    }

    async fn delete(&mut self, table: String, params: Vec<u8>, within: Within) -> Answered {
        self.ask(CrudAsked::Table(Verb::Delete, table), params, within).await
    }

    async fn batch(&mut self, params: Vec<u8>, within: Within) -> Answered {
        self.ask(CrudAsked::Batch, params, within).await
    }
}

impl<H: Host> State<H> {
    async fn ask(&mut self, asked: CrudAsked, params: Vec<u8>, within: Within) -> Answered {
        // Also what is refused has been read, and counts.
        self.enter("crud")?;
        let within = match within {
            None => None,
            Some(handle) => {
                let transaction = self.table.get(&handle)?;
                if !transaction.open {
                    let ended = CrudError::Invalid("the transaction has ended".to_owned());
                    return Ok(Err(self.crud_error(ended)));
                }
                Some(transaction.id)
            }
        };
        if let Err(message) = check(&asked).and_then(|()| self.check_json("params", &params)) {
            return Ok(Err(self.crud_error(CrudError::Invalid(message))));
        }
        let budget = self.row_budget();
        let answer = match self.host()?.crud(CrudRequest { asked, params, within }, budget).await {
            Ok(answer) => answer,
            Err(error) => return Ok(Err(self.crud_error(error))),
        };
        // The host has stopped before anything was changed; this is the second lock.
        match self.count_read(answer.rows, answer.data.len() as u64) {
            Ok(()) => Ok(Ok(Answer { data: answer.data, meta: answer.meta })),
            Err(limit) => Ok(Err(self.crud_error(CrudError::Limit(limit)))),
        }
    }

    /// As for statements: giving up over a limit is seen as the limit that it is.
    fn crud_error(&mut self, error: CrudError) -> Error {
        self.went_wrong(matches!(error, CrudError::Denied(_)));
        match error {
            CrudError::Denied(message) => Error::Denied(message),
            CrudError::Invalid(message) => Error::Invalid(message),
            CrudError::Timeout(message) => Error::Timeout(message),
            CrudError::Limit(limit) => {
                self.told_limit = Some(limit);
                Error::Limit(limit.as_str().to_owned())
            }
            CrudError::Refused(problem) => Error::Refused(Problem {
                code: problem.code.to_owned(),
                message: problem.message,
                hint: problem.hint,
                details: problem.details,
            }),
        }
    }
}

fn check(asked: &CrudAsked) -> Result<(), String> {
    match asked {
        CrudAsked::Table(_, table) if table.len() > TABLE_BYTES_MAX => {
            Err(format!("the name of the table is longer than {TABLE_BYTES_MAX} bytes"))
        }
        _ => Ok(()),
    }
}
