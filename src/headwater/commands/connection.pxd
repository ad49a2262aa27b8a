# Compiled for PING, which is what people measure first.

from headwater.commands.session cimport Session
from headwater.resp.reply cimport Reply
from headwater.resp.request cimport Request

cpdef object ping(Session session, Request request, Reply reply)
