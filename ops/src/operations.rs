//! [`Operations`] for the screen and Admin Web: the same acts as the command line's, by
//! environment name.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt as _};
use payops_core::domain::replay::ReplayPlan;
use payops_core::domain::rollout::RolloutPlan;
use payops_core::operations::{
    AccessStatus, DiscardEnd, ElevationRequest, EnvInfo, OpenEnvironment, Operations, RedriveEnd,
    ReplayEnd, ReplayRequest, ReplayReview, TaskControl,
};
use payops_core::port::{ErrorKind, Executed, PortError, PortResult, Rollouts};
use payops_core::usecase::DeadLetter;
use tokio::sync::{mpsc, watch};

use crate::act::IN_PLACE;
use crate::backend::clusters;
use crate::caller::Notices;
use crate::dead_letters::for_screen;
use crate::environment::{Backend, Environment, Part};
use crate::error::{OpsError, OpsResult};
use crate::operator::Operator;
use crate::rollouts;
use crate::session::Session;

/// Notices on their way to whoever shows them.
struct Channel(mpsc::UnboundedSender<String>);

impl Notices for Channel {
    fn warn(&self, text: &str) {
        // Nobody can be told when nobody listens any more.
        drop(self.0.send(text.to_owned()));
    }

    fn ask_mfa_code(&self) -> Option<String> {
        None
    }
}

/// What one operator may do in a list of environments.
pub struct OperatorOperations {
    operator: Operator,
    environments: Vec<Environment>,
    sessions: Mutex<HashMap<String, Arc<Session>>>,
    notices: Mutex<Option<mpsc::UnboundedReceiver<String>>>,
    /// Turns true once the platform that is being brought up beside the screen is ready.
    ready: Option<watch::Receiver<bool>>,
}

impl OperatorOperations {
    /// Acts of `operator` carry the reason that each is given, not the operator's own.
    #[must_use]
    pub fn new(
        operator: &Operator,
        environments: Vec<Environment>,
        ready: Option<watch::Receiver<bool>>,
    ) -> Self {
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut operator = operator.with_notices(Arc::new(Channel(sender)));
        operator.reason = None;
        Self {
            operator,
            environments,
            sessions: Mutex::default(),
            notices: Mutex::new(Some(receiver)),
            ready,
        }
    }

    /// The session of an environment, the same each time it is asked for.
    pub fn session(&self, env: &str) -> PortResult<Arc<Session>> {
        let known = self.environments.iter().find(|known| known.name == env);
        let known = known
            .ok_or_else(|| OpsError::usage(format!("there is no environment {env}")).into_port())?;
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let session = sessions
            .entry(env.to_owned())
            .or_insert_with(|| self.operator.session(known));
        Ok(Arc::clone(session))
    }
}

async fn access_status(session: &Session) -> OpsResult<AccessStatus> {
    let (level, elevation) = (session.access_level()?, session.elevation()?);
    let standing = crate::access::standing_level(&session.env);
    let held = elevation.filter(|held| held.level == level && level > standing);
    let (until, reason) = held.map(|held| (held.ends_at(), held.reason)).unzip();
    Ok(AccessStatus {
        level,
        until,
        reason,
        freeze: session.freeze().await?,
    })
}

fn to_port<T>(result: OpsResult<T>) -> PortResult<T> {
    result.map_err(OpsError::into_port)
}

#[async_trait]
impl Operations for OperatorOperations {
    fn environments(&self) -> Vec<EnvInfo> {
        let info = |env: &Environment| {
            let (account, region) = match &env.target {
                Backend::Embedded { .. } | Backend::Kubernetes(_) => (None, None),
                Backend::Aws(aws) => (aws.account_id.clone(), aws.region.clone()),
            };
            EnvInfo {
                name: env.name.clone(),
                protected: env.protected,
                account,
                region,
            }
        };
        self.environments.iter().map(info).collect()
    }

    fn notices(&self) -> BoxStream<'static, String> {
        let mut notices = self.notices.lock().unwrap_or_else(PoisonError::into_inner);
        match notices.take() {
            None => stream::empty().boxed(),
            Some(receiver) => stream::unfold(receiver, |mut receiver| async {
                Some((receiver.recv().await?, receiver))
            })
            .boxed(),
        }
    }

    async fn open(&self, env: &str) -> PortResult<OpenEnvironment> {
        let session = self.session(env)?;
        if let Some(mut ready) = self.ready.clone() {
            let gone = |_| PortError::new(ErrorKind::Unavailable, "the platform did not start");
            ready.wait_for(|ready| *ready).await.map_err(gone)?;
        }
        let ports = to_port(Box::pin(session.ports()).await)?.clone();
        let caller = self
            .operator
            .caller(payops_core::domain::access::AccessLevel::View);
        let clusters = clusters::connect_on_use(&session.env, &caller)
            .into_iter()
            .map(|cluster| cluster as Arc<dyn Rollouts>)
            .collect();
        let missing = session.env.missing(Part::Clusters);
        Ok(OpenEnvironment {
            ports,
            clusters,
            no_clusters: missing.map(|missing| missing.into_not_set_up().to_string()),
            kept_here: session.env.kept_here(),
            audit: session.audit_port(),
            who: session.who().to_owned(),
        })
    }

    async fn access(&self, env: &str) -> PortResult<AccessStatus> {
        to_port(Box::pin(access_status(&*self.session(env)?)).await)
    }

    async fn elevate(&self, env: &str, request: ElevationRequest) -> PortResult<AccessStatus> {
        let session = self.session(env)?;
        let ticket = request.ticket.as_deref().map(str::trim);
        let ticket = ticket.filter(|ticket| !ticket.is_empty());
        let elevation =
            to_port(session.plan_login(request.level, &request.reason, ticket, IN_PLACE))?;
        to_port(Box::pin(session.login(&elevation, request.mfa_code)).await)?;
        to_port(Box::pin(access_status(&session)).await)
    }

    async fn end_elevation(&self, env: &str) -> PortResult<AccessStatus> {
        let session = self.session(env)?;
        to_port(Box::pin(session.logout()).await)?;
        to_port(Box::pin(access_status(&session)).await)
    }

    async fn execute_rollout(
        &self,
        env: &str,
        cluster: &str,
        plan: RolloutPlan,
        reason: String,
    ) -> PortResult<Executed> {
        let session = self.session(env)?;
        to_port(Box::pin(rollouts::execute(&session, cluster, &plan, Some(&reason))).await)
    }

    async fn plan_replay(
        &self,
        env: &str,
        request: ReplayRequest,
        letters: Vec<DeadLetter>,
    ) -> PortResult<ReplayReview> {
        let session = self.session(env)?;
        to_port(Box::pin(for_screen::plan_replay(&session, request, letters)).await)
    }

    async fn save_replay_plan(&self, env: &str, plan: ReplayPlan) -> PortResult<String> {
        self.session(env)?;
        to_port(for_screen::save_replay_plan(plan))
    }

    async fn replay(
        &self,
        env: &str,
        plan: ReplayPlan,
        reason: String,
        control: Arc<dyn TaskControl>,
    ) -> PortResult<ReplayEnd> {
        let session = self.session(env)?;
        to_port(Box::pin(for_screen::replay(&session, plan, &reason, control)).await)
    }

    async fn discard(
        &self,
        env: &str,
        queue: String,
        letters: Vec<DeadLetter>,
        reason: String,
        control: Arc<dyn TaskControl>,
    ) -> PortResult<DiscardEnd> {
        let session = self.session(env)?;
        to_port(
            Box::pin(for_screen::discard(
                &session, &queue, &letters, &reason, control,
            ))
            .await,
        )
    }

    async fn redrive(
        &self,
        env: &str,
        queue: String,
        reason: String,
        control: Arc<dyn TaskControl>,
    ) -> PortResult<RedriveEnd> {
        let session = self.session(env)?;
        to_port(Box::pin(for_screen::redrive(&session, &queue, &reason, control)).await)
    }

    async fn export_dead_letters(&self, env: &str, letters: Vec<DeadLetter>) -> PortResult<String> {
        let session = self.session(env)?;
        to_port(Box::pin(for_screen::export_dead_letters(&session, &letters)).await)
    }
}
